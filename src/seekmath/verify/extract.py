r"""The final answer in a solution: boxed, after ####, stated, a letter, or the last number."""

import re
from dataclasses import dataclass

from seekmath.verify.equal import equal
from seekmath.verify.prose import candidates, is_formula, value_of


@dataclass(frozen=True)
class Extraction:
    """What was found and how: boxed, hashes, stated, letter, bare, last, or none."""

    answer: str | None
    how: str


# The end of a solution says what it means; hostile megabytes before it are not read. Boxes, found
# in linear time, are sought further back than the rest.
_TAIL = 8000
_MOST_READ = 100_000
_MOST_BOXES = 20
_FINAL = re.compile(r"final\s+answer\s*(?:is|:|=|\*\*)\s*:?\s*", re.IGNORECASE)
_STATED = re.compile(
    r"(?:answer\s*(?:is|:|=|to\b[^.:\n]{0,60}?\bis)|^[ \t]*A[ \t]*:|答案\s*(?:是|为|：|:)"
    r"|故选|应选|因此选|所以选|故答案为)\s*[:：]?\s*",
    re.IGNORECASE | re.MULTILINE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
# What may stand between two boxes that are one answer.
_JOINED = re.compile(
    r"(?:[\s,;、$.()\[\]{}&]|\\[()\[\],;:! ]|\\quad|\\qquad)*"
    r"(?:(?:\\text\s*\{)?[^{}\\\n]{0,24}?(?:\band\b|\bor\b|和|或)\s*\}?)?"
    r"(?:[\s,;、$()\[\]]|\\[()\[\],;:! ]|\\quad|\\qquad)*"
)
_CHAT_MARK = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id)\|>")
_LETTERS = "ABCDEFGHIJ"


def extract_answer(text: str, choices: list[str] | None = None) -> Extraction:
    """Find the final answer.

    Args:
        text: a full solution or a bare answer.
        choices: the texts of the choices of a multiple-choice problem; the answer is a letter, or
            several in order.
    """
    if len(text) <= _MOST_READ and not choices and _is_bare(text):
        return Extraction(_last_line(text), "bare")
    tail = _CHAT_MARK.split(text[-_MOST_READ:])[0]
    if not _BOX.search(tail):
        tail = tail[-_TAIL:]
    if re.search(r"\\\\(?:boxed|frac|left|text)", tail) and "\\begin" not in tail:
        tail = re.sub(r"\\\\(?=[A-Za-z])", r"\\", tail)
    if _BOX.search(tail) and not all_boxed(tail):
        return Extraction(None, "none")  # cut off inside the box
    for how, answer in _explicit(tail):
        if choices:
            letters = letters_of(answer, choices)
            if letters:
                return Extraction(letters, how)
        elif answer or how in ("boxed", "hashes"):
            return Extraction(answer, how)
    if choices:
        letter = _last_letter(tail, len(choices))
        return Extraction(letter, "letter" if letter else "none")
    found = candidates(tail[-_TAIL:])
    if found:
        return Extraction(found[-1][1], "last")
    short = tail.strip()
    return Extraction(short, "bare") if 0 < len(short) <= 200 else Extraction(None, "none")


def _is_bare(text: str) -> bool:
    return "\\boxed" not in text and "####" not in text and bool(text.strip()) and is_formula(text)


def _last_line(text: str) -> str:
    if "\\begin" in text or text.count("$$") > 1 or "\\[" in text:
        return text.strip()
    return text.strip().split("\n")[-1].strip()


def _explicit(tail: str) -> list[tuple[str, str]]:
    """Answers that are marked as such, the surest first; of boxes and marks the later one."""
    marked: list[tuple[int, str, str]] = []
    boxes = box_run(tail)
    if boxes:
        marked.append((boxes[0], "boxed", ", ".join(boxes[1])))
    # Beside a box only a line of its own counts: ## headings and noise hold the sign too.
    _, marks, rest = tail.rpartition("\n####" if boxes else "####")
    if marks:
        line = rest.strip().split("\n")[0].strip()
        marked.append((len(tail) - len(rest), "hashes", line))
    for match in list(_FINAL.finditer(tail))[-1:]:
        line = _line_after(tail, match)
        said = value_of(line) if not _BOX.search(line) else None
        if said:
            marked.append((match.start(), "stated", said))
    found = [(how, answer) for _, how, answer in sorted(marked, reverse=True)]
    if "boxed" not in dict(found) and "hashes" not in dict(found):
        found += [("stated", said) for line in _statements(tail) if (said := value_of(line))]
    return found


def _statements(tail: str) -> list[str]:
    """Lines after "the answer is", the last statement first."""
    heads = list(_STATED.finditer(tail[-_TAIL:]))
    return [_line_after(tail[-_TAIL:], match) for match in reversed(heads[-3:])]


def _line_after(tail: str, match: re.Match[str]) -> str:
    return tail[match.end() :].split("\n", 1)[0]


def all_boxed(text: str) -> list[tuple[int, int, str]]:
    r"""Start, end and content of every outermost \boxed{…} whose braces balance."""
    found: list[tuple[int, int, str]] = []
    end = 0
    for match in _BOX.finditer(text):
        if match.start() < end:
            continue
        close = _closing(text, match.end())
        if close is None:
            break  # what follows an open brace is inside it
        end = close + 1
        found.append((match.start(), end, text[match.end() : close].strip()))
    return found


def _closing(text: str, place: int) -> int | None:
    depth = 1
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, place):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    return None


def box_run(text: str) -> tuple[int, list[str]] | None:
    r"""The last box with those just before it: ``\boxed{1} and \boxed{-2}`` is one answer."""
    boxes = all_boxed(text)
    if not boxes:
        return None
    run = [boxes[-1]]
    for box in reversed(boxes[:-1][-_MOST_BOXES:]):
        between = text[box[1] : run[0][0]]
        # y_1 = box and y_2 = box: the names between are read away.
        if len(between) > 60 or not _JOINED.fullmatch(
            re.sub(r"[A-Za-z]_?\{?\d?\}?\s*=", "", between)
        ):
            break
        run.insert(0, box)
    contents = list(dict.fromkeys(content for _, _, content in run))
    return run[-1][0], contents


def letters_of(said: str, choices: list[str]) -> str | None:
    """The letters that a statement names, or those of the choice whose text it repeats."""
    said = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", said).strip()
    among = _LETTERS[: max(len(choices), 2)]
    several = re.match(rf"\W*([{among}](?:(?:[\s,、和&]|and)*[{among}])*)(?![A-Za-z])", said)
    if several and not (several.group(1) == "A" and re.match(r"\W*A\s+[a-z]", said)):
        return "".join(sorted(set(re.findall(rf"[{among}]", several.group(1)))))
    lower = re.fullmatch(r"\W*([a-j])\W*", said)
    if lower:
        return lower.group(1).upper()
    same = [letter for letter, text in zip(_LETTERS, choices, strict=False) if _repeats(text, said)]
    if len(same) == 1:
        return same[0]
    return _last_letter(said, len(choices))


def _repeats(choice: str, said: str) -> bool:
    choice = re.sub(r"^\s*\(?[A-J][).:、]\s*", "", choice).strip()
    return bool(choice) and bool(equal(choice, said).right)


def _last_letter(text: str, count: int) -> str | None:
    """The letter a text begins with, or the last one that is neither denied nor an article."""
    among = _LETTERS[: max(count, 2)]
    leading = re.match(rf"\W*([{among}])(?=[.。):：,，、]|[\u4e00-\u9fff]|\s*$)", text)
    if leading:
        return leading.group(1)
    denied = re.sub(
        rf"(?:\bnot|n't(?:\s+be)?|\bnon|不是|不选)\s*\(?[{among}]\b(?:\s*(?:or|and|,|或)\s*[{among}]\b)*",
        " ",
        text,
    )
    letters = re.findall(
        rf"(?<![A-Za-z\\'])\(?([{among}])\)?(?![A-Za-z'])(?!\s+[a-z]{{3,}}\s+[a-z])", denied
    )
    if not letters:
        letters = re.findall(
            rf"(?<![A-Za-z\\'])([{among.replace('A', '').replace('I', '')}])(?![A-Za-z'])", denied
        )
    return letters[-1] if letters else None
