r"""Whether two answers are equal: text, then exact arithmetic, then numbers at seeded points.

The relation is symmetric, never executes anything and never looks at a clock: each comparison has
an allowance of work, so a verdict is the same on every machine and under every load.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from seekmath.verify.clean import Clean, clean, without_short_unit, words
from seekmath.verify.compare import Comparison, Rules
from seekmath.verify.latex import MAX_CHARACTERS, parse
from seekmath.verify.lexer import Unreadable
from seekmath.verify.numeric import has_value
from seekmath.verify.tree import Node
from seekmath.verify.units import Unit, clash
from seekmath.verify.value import TooMuchWork, Work

_WHOLE = re.compile(r"-?[0-9]+")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)\s?([ap]m)?", re.IGNORECASE)
_MIXED_IN_WORDS = re.compile(r"^(\d{1,6}) and (\d{1,6})/(\d{1,6})$")
_RATIO_IN_WORDS = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?) to (\d{1,9}(?:\.\d{1,9})?)$")
_HUNDRED = Node("num", number=Fraction(100))
_DEGREE = Node("/", (Node("const", text="pi"), Node("num", number=Fraction(180))))
DEFAULT = Rules()


@dataclass(frozen=True)
class Verdict:
    """Right, wrong, or None where the gold answer cannot be read; and why."""

    right: bool | None
    reason: str


def equal(gold: str, answer: str, rules: Rules = DEFAULT) -> Verdict:
    """Compare an answer with the gold answer.

    Args:
        gold: the right answer, LaTeX or plain.
        answer: the answer to judge.
        rules: how the answer may differ.
    """
    gold, answer = gold.strip(), answer.strip()
    if not gold:
        return Verdict(None, "the gold answer is empty")
    if gold == answer:
        return Verdict(True, "same text")
    if max(len(gold), len(answer)) > MAX_CHARACTERS:
        if len(gold) > MAX_CHARACTERS:
            return Verdict(None, f"the gold answer is longer than {MAX_CHARACTERS} characters")
        return Verdict(False, f"refused: longer than {MAX_CHARACTERS} characters")
    if _WHOLE.fullmatch(gold) and _WHOLE.fullmatch(answer):
        alike = _digits(gold) == _digits(answer)
        return Verdict(alike, f"whole numbers {'equal' if alike else 'differ'}")
    left, right = clean(gold), clean(answer)
    if clash(left.unit, right.unit):
        return Verdict(False, f"units differ: {_names(left.unit, right.unit)}")
    if left.text and left == right:
        return Verdict(True, "same text")
    if words(gold) and words(gold) == words(answer):
        return Verdict(True, "same words")
    times = _TIME.fullmatch(left.text), _TIME.fullmatch(right.text)
    if times[0] and times[1]:
        alike = _same_time(times[0], times[1])
        return Verdict(alike, f"times of day {'equal' if alike else 'differ'}")
    verdict = _by_value(gold, left, right, rules)
    if times[0] and verdict.right is None:  # 12:00 is no ratio
        return Verdict(False, "the gold answer is a time of day, and the answer is none")
    return verdict


def _same_time(one: re.Match[str], other: re.Match[str]) -> bool:
    """A half of the day on one side only is dressing, as a unit is."""
    halves = {(time[3] or "").casefold() for time in (one, other)} - {""}
    return int(one[1]) == int(other[1]) and one[2] == other[2] and len(halves) < 2


def _names(*units: Unit | None) -> str:
    return " and ".join(unit.name for unit in units if unit)


def _digits(text: str) -> str:
    """A whole number in one form, without reading it: megabytes of digits cost nothing."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    digits = digits.lstrip("0")
    return sign + digits if digits else "0"


def _by_value(gold: str, left: Clean, right: Clean, rules: Rules) -> Verdict:
    left_node, right_node = _read(left.text), _read(right.text)
    if isinstance(left_node, str):
        squeezed = re.sub(r"\s|\\[,;:! ]", "", left.text)
        if squeezed and squeezed == re.sub(r"\s|\\[,;:! ]", "", right.text):
            return Verdict(True, "same text")
        if words(gold):
            return Verdict(False, "the gold answer is text, and the answer is another")
        return Verdict(None, f"the gold answer cannot be read ({left_node})")
    if isinstance(right_node, str):
        return Verdict(False, f"the answer is not an expression ({right_node})")
    work = Work()

    def same(one: Node, other: Node) -> bool:
        return Comparison(rules, work).same(one, other)

    try:
        verdict = _compared(left, right, (left_node, right_node), same)
    except TooMuchWork:
        verdict = Verdict(False, "refused: more arithmetic than an answer needs")
    except RecursionError:
        verdict = Verdict(False, "refused: too deep")
    if not verdict.right and not has_value(left_node, Work()):
        return Verdict(None, "the gold answer has no value")
    return verdict


def _compared(
    left: Clean, right: Clean, nodes: tuple[Node, Node], same: Callable[[Node, Node], bool]
) -> Verdict:
    nodes = _scaled(left.unit, right.unit, nodes)
    if left.percent != right.percent:
        return _with_percent(*nodes, left.percent, same)
    if same(*nodes):
        converted = left.unit and right.unit and left.unit.factor != right.unit.factor
        return Verdict(True, "equal after conversion" if converted else "equal in value")
    other = _second_reading(left, right, same)
    return other or Verdict(False, "different in value")


def _scaled(left: Unit | None, right: Unit | None, nodes: tuple[Node, Node]) -> tuple[Node, Node]:
    """The answer in the gold answer's unit."""
    if left is None or right is None or left.factor == right.factor:
        return nodes
    if left.dimension != right.dimension:
        return nodes
    ratio = Node("num", number=right.factor / left.factor)
    return nodes[0], Node("*", (nodes[1], ratio))


def _read(text: str) -> Node | str:
    """The tree, or why there is none."""
    try:
        return parse(text)
    except Unreadable as error:
        return str(error)
    except RecursionError:
        return "too deep"


def _second_reading(
    left: Clean, right: Clean, same: Callable[[Node, Node], bool]
) -> Verdict | None:
    """What one side may also mean: 2,74 as a decimal; 5 m with a unit."""
    shorter = without_short_unit(left.text), without_short_unit(right.text)
    units = left.unit or shorter[0][1], right.unit or shorter[1][1]
    # On one side only: a unit on both sides has to be the same one.
    if (shorter[0][1] is None) != (shorter[1][1] is None) and not clash(*units):
        nodes = _read(shorter[0][0]), _read(shorter[1][0])
        if isinstance(nodes[0], Node) and isinstance(nodes[1], Node):
            scaled = _scaled(*units, nodes)  # type: ignore[arg-type]
            if same(*scaled):
                return Verdict(True, "equal in value, but for a unit")
    if _same_angle(left, right, same):
        return Verdict(True, "equal as angles, in degrees and in radians")
    both = left.text + right.text
    for read, how in (
        (_as_decimal, "decimal comma"),
        (_in_words, "said in words"),
        (_as_sympy, "as sympy prints it"),
    ):
        texts = read(left.text), read(right.text)
        changed = sum(a != b for a, b in zip(texts, (left.text, right.text), strict=True))
        if changed == 1 and (read is not _as_decimal or "." in both):
            nodes = _read(texts[0]), _read(texts[1])
            if isinstance(nodes[0], Node) and isinstance(nodes[1], Node) and same(*nodes):  # type: ignore[arg-type]
                return Verdict(True, f"equal in value, {how}")
    return None


def _same_angle(left: Clean, right: Clean, same: Callable[[Node, Node], bool]) -> bool:
    r"""120^\circ beside 2\pi/3: degrees on one side, a part of pi without a unit on the other."""
    for turned, other in ((left, right), (right, left)):
        in_degrees = turned.unit is not None and turned.unit.dimension == (("degree", 1),)
        if in_degrees and other.unit is None and re.search(r"\\pi|π|\bpi\b", other.text):
            nodes = _read(turned.text), _read(other.text)
            if isinstance(nodes[0], Node) and isinstance(nodes[1], Node):
                return same(Node("*", (nodes[0], _DEGREE)), nodes[1])
    return False


def _in_words(text: str) -> str:
    """3 and 1/2 as a mixed number, 3 to 2 as a ratio; beside a list the first is one too."""
    text = _MIXED_IN_WORDS.sub(r"(\1+\2/\3)", text)
    return _RATIO_IN_WORDS.sub(r"\1:\2", text)


def _as_sympy(text: str) -> str:
    """1 + 2*I and exp(2)*E: letters that a program's output means as constants."""
    if "\\" in text or not re.search(r"\*|/|\b(?:exp|sqrt|sin|cos|tan|log)\(", text):
        return text
    return re.sub(r"\bI\b", "i", re.sub(r"\bE\b", "e", text))


def _as_decimal(text: str) -> str:
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text


def _with_percent(
    left: Node, right: Node, left_has_it: bool, same: Callable[[Node, Node], bool]
) -> Verdict:
    """50% is 50 with its unit, or one half; 50 is never one half."""
    if same(left, right):
        return Verdict(True, "equal but for the percent sign")
    if left_has_it:
        left = Node("/", (left, _HUNDRED))
    else:
        right = Node("/", (right, _HUNDRED))
    alike = same(left, right)
    return Verdict(alike, "equal as percent" if alike else "different in value")
