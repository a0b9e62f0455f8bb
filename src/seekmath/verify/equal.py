r"""Whether two answers are equal: text, then exact arithmetic, then numbers at seeded points.

The relation is symmetric, never executes anything, does no computer algebra, and takes time linear
in the length of the answers; so a verdict never depends on a clock or on the machine's load.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from seekmath.verify.clean import Clean, clean, without_short_unit, words
from seekmath.verify.compare import same
from seekmath.verify.latex import MAX_CHARACTERS, Node, parse
from seekmath.verify.lexer import Unreadable

_WHOLE = re.compile(r"-?[0-9]+")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_HUNDRED = Node("num", number=Fraction(100))


@dataclass(frozen=True)
class Verdict:
    """Right, wrong, or None where the gold answer cannot be read; and why."""

    right: bool | None
    reason: str


def equal(gold: str, answer: str) -> Verdict:
    """Compare an answer with the gold answer.

    Args:
        gold: the right answer, LaTeX or plain.
        answer: the answer to judge.
    """
    gold, answer = gold.strip(), answer.strip()
    if not gold:
        return Verdict(None, "the gold answer is empty")
    if gold == answer:
        return Verdict(True, "same text")
    if max(len(gold), len(answer)) > MAX_CHARACTERS:
        unread = len(gold) > MAX_CHARACTERS
        return Verdict(None if unread else False, f"longer than {MAX_CHARACTERS} characters")
    if _WHOLE.fullmatch(gold) and _WHOLE.fullmatch(answer):
        alike = _digits(gold) == _digits(answer)
        return Verdict(alike, f"whole numbers {'equal' if alike else 'differ'}")
    left, right = clean(gold), clean(answer)
    if left.text and left == right:
        return Verdict(True, "same text")
    if words(gold) and words(gold) == words(answer):
        return Verdict(True, "same words")
    return _by_value(gold, left, right)


def _digits(text: str) -> str:
    """A whole number in one form, without reading it: megabytes of digits cost nothing."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    digits = digits.lstrip("0")
    return sign + digits if digits else "0"


def _by_value(gold: str, left: Clean, right: Clean) -> Verdict:
    left_node = _read(left.text)
    right_node = _read(right.text)
    if isinstance(left_node, str):
        squeezed = re.sub(r"\s|\\[,;:! ]", "", left.text)
        if squeezed and squeezed == re.sub(r"\s|\\[,;:! ]", "", right.text):
            return Verdict(True, "same text")
        if words(gold):
            return Verdict(False, "the gold answer is text, and the answer is another")
        return Verdict(None, f"the gold answer cannot be read ({left_node})")
    if isinstance(right_node, str):
        return Verdict(False, f"the answer is not an expression ({right_node})")
    if left.percent != right.percent:
        return _with_percent(left_node, right_node, left.percent)
    if same(left_node, right_node):
        return Verdict(True, "equal in value")
    other = _second_reading(left.text, right.text)
    return other or Verdict(False, "different in value")


def _read(text: str) -> Node | str:
    """The tree, or why there is none."""
    try:
        return parse(text)
    except Unreadable as error:
        return str(error)


def _second_reading(left: str, right: str) -> Verdict | None:
    """What both sides may also mean: 2,74 as a decimal; 5 m with a unit; {1, 2} for (1, 2)."""
    for reading, reason in ((_as_decimal, "decimal comma"), (without_short_unit, "but for a unit")):
        pair = [reading(text) for text in (left, right)]
        changed = sum(a != b for a, b in zip(pair, (left, right), strict=True))
        # On one side only: a unit on both sides has to be the same one.
        if changed != 1 or (reading is _as_decimal and "." not in left + right):
            continue
        nodes = [_read(text) for text in pair]
        if isinstance(nodes[0], Node) and isinstance(nodes[1], Node) and same(nodes[0], nodes[1]):
            return Verdict(True, f"equal in value, {reason}")
    return None


def _as_decimal(text: str) -> str:
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text


def _with_percent(left: Node, right: Node, left_has_it: bool) -> Verdict:
    """50% is 50 with its unit, or one half; 50 is never one half."""
    if same(left, right):
        return Verdict(True, "equal but for the percent sign")
    if left_has_it:
        left = Node("/", (left, _HUNDRED))
    else:
        right = Node("/", (right, _HUNDRED))
    alike = same(left, right)
    return Verdict(alike, "equal as percent" if alike else "different in value")
