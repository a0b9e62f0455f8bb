r"""Where mathematics stands in running text: formulas, numbers, and the words between them."""

import re
from collections.abc import Iterator

from seekmath.verify.units import unit_of

_MATH_WORDS = (
    "and or sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log lg exp sqrt pi frac"
    " infty infinity to cm mm km kg ft mph percent percentage pct dollars degrees miles meters"
    " hours minutes inches feet grams liters seconds units square cubic per days cents"
    " thousand million billion trillion"
)
_COMMAND = r"\\(?:begin|end)\s*\{[a-z*]+\}(?:\{[clr|]+\})?|\\[A-Za-z]+"
# A word is prose unless it is a command, a unit, or a name of at most three letters.
_PROSE = re.compile(
    rf"(?:{_COMMAND})|(?<=\d)(?:or|and)(?=[A-Za-z]\W)"
    r"|(?<=[\dA-F)$])\s\(?(?:in )?base(?=\s\$?\d)|(?<=:\d\d)\s?[ap]m\b"
    r"|(?<=\d)\s?(?:[万亿]|(?:又|分之)(?=\d))|负(?=\d)"
    r"|(?P<word>(?:(?![\u0370-\u03ff⁰¹²³⁴-⁹])[^\W\d_]){2,}|[\u4e00-\u9fff])",
    re.IGNORECASE,
)
_DIGITS = r"(?:\d{1,3}(?:[,，]\d{3})+(?!\d)|\d+)(?:[.,]\d+)?"
# 3/4, 4分之3, 1又3/4, 5.2万: Chinese writes parts and myriads behind a number.
NUMBER = (
    rf"(?<![A-Za-z\d.\\])[-−－负]?[$€£¥]?\s?{_DIGITS}(?:又\d+)?"
    r"(?:\s*/\s*\d+|分之\d+)?(?:\s*\\?%|\s?[万亿]|\s(?:thousand|million|billion|trillion)\b)?"
)
_DOLLARS = r"\$\$(?P<d2>.+?)\$\$|(?<!\\)\$(?P<d1>(?:[^$\\]|\\.)+?)\$(?!\d)"
_BRACKETS = r"\\\((?P<b1>.{1,2000}?)\\\)|\\\[(?P<b2>.{1,2000}?)\\\]"
_RAW = (
    r"-?\\[dt]?frac\s*\{[^{}]+\}\s*\{[^{}]+\}(?:\s*\\?%)?"
    r"|\\begin\{[a-z]*matrix\}.+?\\end\{[a-z]*matrix\}"
)
_CANDIDATE = re.compile(rf"{_DOLLARS}|{_BRACKETS}|(?P<raw>{_RAW})|(?P<number>{NUMBER})", re.DOTALL)
_AMOUNT = re.compile(NUMBER)
# Up to a stop: "5 in the box" is not five inches, nor "3 m" three metres for sure.
_UNIT_WORDS = re.compile(
    r" ?((?:(?:[A-Za-z]{2,12}|(?<=/)[A-Za-z]|[A-Za-z](?=/|\^|²|³))(?: |/|\^\{?[23]\}?|²|³)?){1,4})"
    r"(?=[.,;:!?)\n*$]|$)"
)
_COPULA = re.compile(r"\b(?:is|are|was|were|be|equals?|est)\b(?! not)|[=:：是为]|等于|应该是", re.I)
SENTENCE_END = re.compile(r"(?<!\d)[.](?=\s|$)|[.](?=\s+[A-Z]|\s*$)|[。；]|\n")
JOINING = r"(?:\b(?:and|or|per)\b|[和或与及])"
_KNOWN = frozenset((*_MATH_WORDS.split(), *"和或与及"))
_BOUND = re.compile(
    r"(?:at (?:least|most)|(?:less|more|greater|fewer|smaller|larger) than)\s+[$\\(]{0,2}\d",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:therefore|thus|then|hence|simply|just|exactly|indeed|clearly|approximately|about)\b"
    r"[,:]?\s*)+",
    re.IGNORECASE,
)


def first_prose(text: str) -> int | None:
    """Where the first word that is no mathematics begins, or None."""
    return next((start for start, _ in prose(text)), None)


def prose(text: str) -> Iterator[tuple[int, int]]:
    """Where the words that are no mathematics begin and end."""
    for match in _PROSE.finditer(text):
        word = match["word"]
        if word is None or word.lower() in _KNOWN:
            continue
        short = len(word) <= 3 and word.isascii() and not re.search("[aeiou]", word.lower())
        if not short and not (len(word) <= 3 and word.isupper()):
            yield match.span()


def without_text_groups(text: str) -> str:
    r"""The text without \text{…}: words there belong to the formula."""
    return re.sub(r"\\(?:text\w*|math\w+|mbox|operatorname)\s*\{[^{}]*\}", " ", text)


def is_formula(text: str) -> bool:
    """Whether a text is an expression from end to end, and not a sentence."""
    return first_prose(without_text_groups(text)) is None


def candidates(text: str) -> list[tuple[int, str]]:
    """Formulas between their delimiters and numbers outside them, with their places."""
    found = []
    for match in _CANDIDATE.finditer(text):
        body = next((g for g in match.groups() if g), match.group())
        if match["d1"] and "?" in body:
            # Two amounts of money, and not a formula between dollars.
            start = match.start("d1")
            found += [(start + m.start(), m.group()) for m in _AMOUNT.finditer(body)]
        else:
            unit = _UNIT_WORDS.match(text, match.end()) if match["number"] else None
            known = unit is not None and unit_of(unit[1])[1] is not None
            found.append((match.start(), body.strip() + (unit[0] if unit and known else "")))
    return found


def value_of(line: str) -> str | None:
    """What a statement says: "The total is $12$ dollars, so …" says 12."""
    line = line[:600].replace('\\"', "").replace('"', "").strip(" \t*:：~≈")
    line = re.sub(r"^([$\d.,]+)(\**)!(?=\**$)", r"\1\2", line)  # an exclamation, no factorial
    line = _LEAD.sub("", line, count=1) if _LEAD.match(line) else line
    line = re.sub(r",? as (?:desired|required|claimed|needed|wanted|expected)\W*$", "", line)
    sentence = _sentence(line)
    if not sentence:
        return None
    if _BOUND.match(sentence):  # "at least 7" says no number
        return sentence.strip(" *")
    single = re.fullmatch(r"(?:\$+([^$]+)\$+|\\\(((?:(?!\\\)).)+)\\\))\W*", sentence)
    if single:
        return (single[1] or single[2]).strip()
    if is_formula(sentence):
        return _undressed(sentence)
    found = candidates(sentence)
    if not found:
        # A statement in words: a day, a name, a colour, yes or no.
        return sentence.strip(" *") if len(sentence) <= 80 else None
    start = found[0][0]
    if is_formula(sentence[:start]):
        return _formula_at(sentence)
    for copula in reversed(list(_COPULA.finditer(_masked(sentence)))):
        after = sentence[copula.end() :]
        lead = _formula_at(after)
        if re.search(r"\d|\$|\\", lead):
            return lead
    before = max((end for _, end in prose(blank_text(sentence)) if end <= start), default=0)
    return _formula_at(sentence[before:].lstrip(" ,.:;")) or found[0][1]


def blank_text(text: str) -> str:
    r"""With \text{…} blotted out, places unchanged."""
    return re.sub(r"\\(?:text\w*|math\w+|mbox)\s*\{[^{}]*\}", lambda m: " " * len(m.group()), text)


def _formula_at(text: str) -> str:
    """The longest beginning without prose, connecting words at its end taken off."""
    end = first_prose(blank_text(text))
    head = text if end is None else text[:end]
    if end is not None and (with_unit := measured(text, end)):
        return with_unit
    return _undressed(re.sub(rf"(?:[\s,;(]|{JOINING})+$", "", head))


def measured(text: str, end: int) -> str:
    """The formula before ``end`` with the words of its unit, which reach beyond; or nothing."""
    head = re.match(r".*[\d})$\]π]", text[:end], re.DOTALL)
    unit = _UNIT_WORDS.match(text, head.end()) if head else None
    if head is None or unit is None or unit_of(unit[1])[1] is None:
        return ""
    return f"{_undressed(head[0])} {unit[1].strip()}"


def _undressed(text: str) -> str:
    """Without bold, and without the delimiters of a single formula."""
    text = text.strip(" *")
    single = re.fullmatch(r"\$+([^$]+)\$+|\\\(((?:(?!\\\)).)+)\\\)", text)
    return (single[1] or single[2]).strip() if single else text


def _sentence(line: str) -> str:
    """Up to the first full stop that is outside formulas and no decimal point."""
    end = SENTENCE_END.search(_masked(line))
    return line[: end.start()] if end else line


def _masked(line: str) -> str:
    """The line with its formulas blotted out, places unchanged."""
    formula = r"\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]"
    return re.sub(formula, lambda match: "x" * len(match.group()), line)
