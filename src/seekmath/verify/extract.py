r"""The final answer in a solution: boxed, after ####, stated, a letter, or the last number."""

import re
from dataclasses import dataclass

from seekmath.verify.choices import LETTERS, joined, last_letter, letters_of, repeated
from seekmath.verify.closing import last_value
from seekmath.verify.prose import is_formula, value_of
from seekmath.verify.writings import closing


@dataclass(frozen=True)
class Extraction:
    """What was found and how: boxed, tagged, hashes, stated, output, letter, bare, last, none."""

    answer: str | None
    how: str


# The end of a solution says what it means; hostile megabytes before it are not read. Boxes, found
# in linear time, are sought further back than the rest.
_TAIL = 8000
_MOST_READ = 100_000
_MOST_BOXES = 20
_FINAL = re.compile(r"final\s+answer\s*(?:is|:|=|\*\*)\s*:?\s*", re.IGNORECASE)
_STATED = re.compile(
    r"(?:answer\s*(?:is(?!n['’]t|\s+not\s+[-\d$\\(])|(?:would|should|must|will)\s+be|:|="
    r"|to\b[^.:\n]{0,60}?\bis)|^[ \t]*A[ \t]*:"
    r"|^答\s*[:：]|答案应?该?\s*(?:是|为|：|:)|故选|应选|因此选|所以选|故答案为)\s*[:：]?\s*",
    re.IGNORECASE | re.MULTILINE,
)
# Said of what may not be the end: counts in the last line only.
_RESULT = re.compile(r"(?:result|outcome|total)\s+is\b|结果\s*(?:是|为|：|:)", re.IGNORECASE)
_TAG = re.compile(r"<answer>((?:(?!</?answer>).){0,2000}?)</answer>", re.DOTALL | re.IGNORECASE)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
# What may stand between two boxes that are one answer.
_JOINED = re.compile(
    r"(?:[\s,;、$.()\[\]{}&+]|\\[()\[\],;:! ]|\\quad|\\qquad)*"
    r"(?:(?:\\text\s*\{)?[^{}\\\n]{0,24}?(?:\band\b|\bor\b|和|或)\s*\}?)?"
    r"(?:[\s,;、$()\[\]]|\\[()\[\],;:! ]|\\quad|\\qquad)*"
)
# The last block that a tool printed, where nothing follows it.
_PRINTED = re.compile(r"```output\n((?:(?!```)[^\n]{0,2000}\n){1,50})(?:```)?\s*$")
_NOT = re.compile(
    r"(?:\banswer\b[^.\n]{0,30}(?:\bnot|n['’]t)|不是|不等于)[\s\\$*(]*$", re.IGNORECASE
)
_CHAT_MARK = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id)\|>")


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
    if choices:
        return _letter(tail, choices)
    for how, answer in _explicit(tail):
        if answer or how in ("boxed", "hashes"):
            return Extraction(answer, how)
    printed = _PRINTED.search(tail[-_TAIL:])
    if printed and (line := printed[1].strip().rpartition("\n")[2].strip()):
        return Extraction(line, "output")
    last_line = tail.strip().rpartition("\n")[2]
    for match in list(_RESULT.finditer(last_line))[-1:]:
        if (said := value_of(last_line[match.end() :])) is not None:
            return Extraction(said, "last")
    found = last_value(tail[-_TAIL:])
    if found and _denied(tail[-_TAIL:], found):
        return Extraction(None, "none")
    if found:
        return Extraction(found, "last")
    short = tail.strip()
    return Extraction(short, "bare") if 0 < len(short) <= 200 else Extraction(None, "none")


def _denied(tail: str, value: str) -> bool:
    """Whether a text ends by saying what the answer is not."""
    before, found, _ = tail.rpartition(value)
    return bool(found) and _NOT.search(before[-60:]) is not None


def _letter(tail: str, choices: list[str]) -> Extraction:
    """The letter, or letters in order, that a solution of a multiple-choice problem names."""
    alone = re.fullmatch(r"\W{0,9}((?:[A-J][\W_]{0,3}){1,10})", tail)
    if alone and set(joined(alone[1])) <= set(LETTERS[: len(choices)]):
        return Extraction(joined(alone[1]), "letter")
    for how, said in _marked(tail) + [("stated", line) for line in _statements(tail)]:
        letters = letters_of(said[:600].strip(), choices)
        if letters is not None:
            return Extraction(letters or None, how if letters else "none")
    whole = tail.strip().strip("$")
    letter = repeated(whole, choices) if len(whole) <= 300 else None
    letter = letter or last_letter(tail, len(choices))
    return Extraction(letter, "letter" if letter else "none")


def _is_bare(text: str) -> bool:
    if "\\boxed" in text or "####" in text or _STATED.search(text[-_TAIL:]):
        return False
    return bool(text.strip()) and is_formula(text)


def _last_line(text: str) -> str:
    if "\\begin" in text or text.count("$$") > 1 or "\\[" in text:
        return text.strip()
    return text.strip().split("\n")[-1].strip()


def _marked(tail: str) -> list[tuple[str, str]]:
    """Boxes, #### and "final answer is", the later one first."""
    marked: list[tuple[int, str, str]] = []
    boxes = box_run(tail)
    if boxes:
        marked.append((boxes[0], "boxed", ", ".join(boxes[1])))
    # Beside a box only a line of its own counts: ## headings and noise hold the sign too.
    _, marks, rest = tail.rpartition("\n####" if boxes else "####")
    if marks:
        line = rest.strip().split("\n")[0].strip()
        marked.append((len(tail) - len(rest), "hashes", line))
    for match in list(_TAG.finditer(tail))[-1:]:
        if not _BOX.search(match[1]):
            marked.append((match.start(), "tagged", match[1].strip()))
    for match in list(_FINAL.finditer(tail))[-1:]:
        line = _line_after(tail, match)
        if not _BOX.search(line):
            marked.append((match.start(), "stated", line))
    return [(how, answer) for _, how, answer in sorted(marked, reverse=True)]


def _explicit(tail: str) -> list[tuple[str, str]]:
    """Answers that are marked as such, the surest first; of boxes and marks the later one."""
    found = []
    for how, text in _marked(tail):
        answer = value_of(text) if how in ("stated", "tagged") else text
        if answer is not None:
            found.append((how, answer))
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
        close = closing(text, match.end())
        if close is None:
            break  # what follows an open brace is inside it
        end = close + 1
        found.append((match.start(), end, text[match.end() : close].strip()))
    return found


def final_marks(text: str) -> list[str]:
    """Every answer in a box or a tag, or after #### on a line of its own."""
    found = [content for _, _, content in all_boxed(text)]
    found += [content for content in _TAG.findall(text) if not _BOX.search(content)]
    found += re.findall(r"^####[ \t]*([^\n]+)", text, re.MULTILINE)
    return [one.strip() for one in found]


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
