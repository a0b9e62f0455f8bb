r"""The value with which a text ends, where nothing marks its answer: "Thus we get 13, -7, 19."."""

import re

from seekmath.verify.clean import clean
from seekmath.verify.latex import parse
from seekmath.verify.lexer import Unreadable
from seekmath.verify.prose import (
    JOINING,
    NUMBER,
    SENTENCE_END,
    blank_text,
    candidates,
    first_prose,
    measured,
    prose,
)

_RELATED = re.compile(r"[=<>≤≥]|\\(?:leq?|geq?|in|[lg]t)\b")
_JOINED = re.compile(rf"(?:\$[^$]+\$\s*,?\s*{JOINING}\s*)+\$[^$]+\$\W*$")
# Words after which a list is said, and no end of a longer sentence.
_SAYING = re.compile(r"(?:\b(?:is|are|be|get|gives?|to|at|by|obtain|find|equals?)|[是为得])$")
_BEFORE = re.compile(r"(?:['’][a-z]{1,2}\b)?\s*(?:(?:to|by|at)\b)?[\s*]*")
_PIECES = re.compile(rf",\s|、|;|{JOINING}|(?<!\s):\s")
_FRAYED = re.compile(
    rf"^(?:[\s,.:;)\]*]|{JOINING})+|(?:[\s,.:;(\[*]|{JOINING}|\s[A-Za-z](?![A-Za-z]))+$"
)
_DIGIT = "零一二三四五六七八九十百千万亿两〇"
_NUMERAL = re.compile(
    rf"((?:百|[{_DIGIT}]{{1,20}}又)?[{_DIGIT}]{{0,20}}分之[{_DIGIT}点]{{1,60}}"
    rf"|负?(?=[{_DIGIT}]*[十百千万亿点])[{_DIGIT}点]{{2,60}})[一-鿿]?[\s*.。]*(?:</answer>)?$"
)
_MOST_RUN = 80


def last_value(text: str) -> str | None:
    """The last formula or number, with the arithmetic in which it stands; None without any."""
    found = candidates(text)
    if not found:
        numeral = _NUMERAL.search(text[-100:])
        return numeral[1] if numeral else None
    place, value = found[-1]
    ends = [match.end() for match in SENTENCE_END.finditer(text[:place])]
    start = ends[-1] if ends else 0
    if text[place] in "$\\" and not re.match(r"\$\s?\d", text[place:]):
        rest = text[place:]
        end = first_prose(blank_text(rest))
        return _joined(text[start:]) or measured(rest, len(rest) if end is None else end) or value
    run = _run(text[start:], place - start)
    return run if run and not re.fullmatch(NUMBER, run) else value


def _joined(sentence: str) -> str:
    """``$x<1$ or $x>2$`` at the end of a sentence as one answer; else nothing."""
    tail = _JOINED.search(sentence)
    if tail is None or not all(map(_RELATED.search, re.findall(r"\$[^$]+\$", tail[0]))):
        return ""
    return tail[0].strip(" .。*")


def _run(sentence: str, place: int) -> str:
    """The arithmetic around a number in a sentence, as far as it can be read; or nothing."""
    spans = list(prose(blank_text(sentence)))
    left = max((end for _, end in spans if end <= place), default=0)
    right = min((start for start, _ in spans if start >= place), default=len(sentence))
    lead = _BEFORE.match(sentence, left)
    left = min(lead.end() if lead else left, place)
    if with_unit := measured(sentence[left:], right - left):
        return with_unit
    run = sentence[left:right]
    if not _SAYING.search(sentence[:left].rstrip(" *")) or sentence[right:].strip(" .。*"):
        run = _PIECES.split(run)[-1]
    run = _FRAYED.sub("", run)
    if run.count("=") != 1 or not re.search("[A-Za-z]", run):
        run = re.split(r"(?<![<>!])=|≈", run)[-1].strip()
    return run if len(run) <= _MOST_RUN and _is_expression(run) else ""


def _is_expression(run: str) -> bool:
    try:
        parse(clean(run).text)
    except (Unreadable, RecursionError):
        return False
    return True
