r"""The final answer in a solution: boxed, after ####, stated, a letter, or the last number."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Extraction:
    """What was found and how: boxed, hashes, stated, letter, number, or none."""

    answer: str | None
    how: str


# The end of a solution says what it means; hostile megabytes before it are not read.
_TAIL = 8000
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?%?")
_STATED = re.compile(
    r"(?:answer\s*(?:is|:|=|to\b[^.:\n]{0,60}?\bis)|^\s*A\s*:|答案\s*(?:是|为|：|:)|故选|应选|因此选|所以选)"
    r"\s*[:：]?\s*([^\n]+)",
    re.IGNORECASE | re.MULTILINE,
)
_MATH = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]")
_LETTER = re.compile(r"(?<![A-Za-z\\])\(?([A-J])\)?(?![A-Za-z])")
_LETTER_ONLY = re.compile(r"\W*(?:\\text\{)?\W*([A-J])\W*\}?\W*", re.IGNORECASE)


def extract_answer(text: str, choices: list[str] | None = None) -> Extraction:
    """Find the final answer.

    Args:
        text: a full solution or a bare answer.
        choices: the texts of the choices of a multiple-choice problem; the answer is a letter.
    """
    tail = text[-_TAIL:]
    for how, found in (
        ("boxed", last_boxed(tail)),
        ("hashes", _after_hashes(tail)),
        ("stated", _stated(tail)),
    ):
        if found is None:
            continue
        answer = _as_letter(found, choices) if choices else found
        if answer is not None:
            return Extraction(answer, how)
    if choices:
        letters = _LETTER.findall(tail)
        return Extraction(letters[-1] if letters else None, "letter" if letters else "none")
    if len(text) <= 60 and "\n" not in text.strip() and text.strip():
        math = _MATH.findall(text)
        bare = next(part for part in math[-1] if part) if len(math) == 1 else text
        return Extraction(bare.strip(), "bare")
    numbers = _NUMBER.findall(tail)
    return Extraction(numbers[-1] if numbers else None, "number" if numbers else "none")


def all_boxed(text: str) -> list[str]:
    r"""The contents of every \boxed{…}, braces balanced, in order."""
    found = []
    for match in re.finditer(r"\\(?:boxed|fbox)\s*\{", text):
        depth = 1
        for place in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                found.append(text[match.end() : place].strip())
                break
    return found


def last_boxed(text: str) -> str | None:
    r"""The content of the last \boxed{…}."""
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    found = all_boxed(text[start:]) if start >= 0 else []
    return found[0] if found else None


def _after_hashes(text: str) -> str | None:
    _, marks, rest = text.rpartition("####")
    line = rest.strip().split("\n")[0].strip() if marks else ""
    return line or None


def _stated(text: str) -> str | None:
    found = _STATED.findall(text)
    if not found:
        return None
    line = found[-1].strip()
    math = re.match(r"\$([^$]+)\$|\\\((.+?)\\\)|\*\*(.+?)\*\*", line)
    if math:
        return next(group for group in math.groups() if group).strip()
    # A sentence ends at a full stop that is not a decimal point.
    return re.split(r"(?<!\d)[.。](?=\s|$)|[.。](?=\s|$)|,\s|;", line)[0].strip() or None


def _as_letter(found: str, choices: list[str] | None) -> str | None:
    several = re.fullmatch(r"\W*([A-J](?:[\s,、和]*[A-J])+)\W*", found)
    if several:
        return "".join(sorted(set(re.findall(r"[A-J]", several.group(1)))))
    only = _LETTER_ONLY.fullmatch(found)
    if only:
        return only.group(1).upper()
    letter = _LETTER.search(found)
    if letter:
        return letter.group(1)
    stripped = found.strip(" .$")
    texts = [choice.strip(" .$") for choice in choices or []]
    return "ABCDEFGHIJ"[texts.index(stripped)] if stripped in texts[:10] else None
