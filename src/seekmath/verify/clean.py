"""Answers made comparable: dressing, units, money and thousands separators taken off."""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from seekmath.verify.chinese import chinese_numbers
from seekmath.verify.english import english_numbers, scaled
from seekmath.verify.units import Unit, chinese_unit, unit_of
from seekmath.verify.writings import TEXT, named_set, rewritten, unwrapped, without_end


@dataclass(frozen=True)
class Clean:
    """An answer without dressing, whether it carried a percent sign, and its unit."""

    text: str
    percent: bool
    unit: Unit | None = None


# After a number, a root, a closing bracket or a constant.
_AFTER = r"(?:(?<=[\d})\]°π])|(?<=\\pi))"
# Atomic and short: a phrase is read once, however it ends. 12 per cent is no unit.
_PHRASE = re.compile(
    rf"{_AFTER}(?>\s*)(?=[A-Za-z/])"
    r"(?P<phrase>(?>(?:[A-Za-z]{1,12}\.?(?:\^\{?-?[23]\}?)?|/|[ ·*-]){1,12}))"
    r"(?P<end>$|[,;}])"
)
# Any text after a number is a unit, but not a word that joins or answers.
_TEXT_UNIT = re.compile(
    rf"(?:{_AFTER}|(?<=~))(?>(?:\\?[ ,;!~])*){TEXT}\s*"
    r"\{(?!\s*(?:or|and|if|for)\b)(?P<text>[^{}]*)\}"
    r"(?P<power>(?>\s*)\^(?>\s*)\{?-?\d\}?)?(?>\s*)(?=[,;)\]]|\\right|\\\}|$)"
)
_CURLY_UNIT = re.compile(r"(?<=\d)\s*\{\\rm\s[^{}]*\}")
_NUMERALS = "零〇一二两三四五六七八九十百千万亿"
_CHINESE_PHRASE = re.compile(
    rf"(?<=[\d}})\]{_NUMERALS}])\s*(?P<phrase>(?![{_NUMERALS}]|分之|点|又)[\u4e00-\u9fff/]{{1,20}})$"
)
# a.m., \\text{ p.m.}, PM after the minutes of a time of day
_HALF_DAY = re.compile(
    rf"(?<=:\d\d)\s*(?:{TEXT}\s*\{{\s*([ap])\.?\s?m\b\.?\s*\}}|([ap])\.?\s?m\b\.?)\.*",
    re.IGNORECASE,
)
_COMPOUND = re.compile(r"(\d+)\s*([A-Za-z]+)\.?,?\s+(?:and\s+)?(\d+)\s*([A-Za-z]+)\.?")
_ONE_LETTER_UNIT = re.compile(r"(?<=[\d})])\s*([mgshlLVAJNWKCF])(\^?\{?[23]\}?)?$")
_SCIENTIFIC = re.compile(r"(?<=\d)[eE]([-+]?\d{1,3})\b")
_SCIENTIFIC_X = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
_PERCENT = re.compile(r"\s*(?:\\?%|\bpercent(?:age)?\b|\bpct\b)\s*\.?$", re.IGNORECASE)
_MONEY = re.compile(r"[€£¥₹]|\b(?:USD|RMB|EUR|CNY|US)(?![A-Za-z])|\bRs\.?(?=\s*\d)|^人民币")
_DOLLAR = Unit((("dollar", 1),), Fraction(1), "dollars")
# A dollar sign before a number is money where it is escaped, or opens no formula.
_DOLLARS = re.compile(r"\\\$\s?\d|^[^$]*\$\s?\d[^$]*$")
_DELIMITERS = re.compile(r'\\?["$]|\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\s*\.?')
_DIGITS_IN_BASE = re.compile(
    rf"^(?:{TEXT}\s?\{{([0-9A-Z]{{1,40}})\}}|([0-9A-Z]{{1,40}}))\s?_\s?\{{?(\d{{1,2}})\}}?$"
)
# 1011 (base 2), 1011 in base 2, (1011)_2, 1011_{(2)}, 1011_{\text{2}}
_BASE_IN_WORDS = re.compile(
    rf"\(?([0-9A-Z]{{1,40}})\)?\s?(?:\(?(?:in )?base (?P<said>\d{{1,2}})\)?"
    rf"|_\s?\{{?\s?(?:\(|{TEXT}\s?\{{)?\s?(?P<written>\d{{1,2}})\s?\)?\}}{{0,2}})"
)
_IN_DEGREES = re.compile(r"(?<=\d)\s?(?:°|\^\s?\{?\s?\\circ\s?\}?)$")
_MODULUS = re.compile(r"(?>\s*)\(?\s?\\?(?:pmod|bmod|mod)(?![a-z])\s?\{?\s?(\d{1,9})\s?\}?\s?\)?$")
# Signs that letters, digits and spaces alone do not stand for.
_MATHEMATICS = re.compile(
    r"[\\^_=<>/*+|()\[\],:]|\.\d|-(?![A-Za-z]{2})|(?<![A-Za-z]{2})-|(?:\d|\b[A-Za-z])\s*!"
)
_MODULE = re.compile(r"\b(?:np|numpy|math|sp|sympy)\.(?=[a-z])")
_BUILDER = re.compile(r"\\?\{\s*([a-z])\s*(?:\\in\s*\\mathbb\{?R\}?|)\s*(?:\||\\mid|:)(.*)\\?\}$")
_MIXED = re.compile(r"(?<![\d.,/^_}])(\d{1,6})\s+(\d{1,6})\s*/\s*(\d{1,6})(?![\d.])")
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∶": ":",
     "′": "'", "’": "'", "\u200b": "", "\u202e": "", "\ufeff": "", "\x00": "", "\u200e": ""}
)  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def clean(text: str) -> Clean:
    """An answer ready for the parser."""
    text = re.sub(r"\s+", " ", _unicode(text)).lstrip(" :=").strip()
    if "\\\\" in text and "\\begin" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z])", r"\\", text)
    text = rewritten(unwrapped(without_end(text)))
    text = re.sub(r"^(?:\\(?:displaystyle|textstyle)|\\[,;:! ]|\s)+(?![A-Za-z])", "", text)
    money = _DOLLARS.search(text) is not None
    text = _unnested(unwrapped(without_end(_DELIMITERS.sub("", text))))
    text = _thousands(re.sub(r"(?<![\w)\]}])\*\*(?=\S)(.{1,300}?)(?<=\S)\*\*", r"\1", text))
    text = _MODULE.sub("", _MONEY.sub("", text))
    text = _HALF_DAY.sub(lambda match: f" {(match[1] or match[2]).lower()}m", text)
    text = re.sub(r"^(?:\\approx|≈|~)\s*", "", text.strip()).rstrip(".。,;").strip()
    text = re.sub(r"(?<=[A-Za-z]{2}|[\u4e00-\u9fff]{2})!+$", "", text)
    text = named_set(scaled(text))
    percent = bool(_PERCENT.search(text))
    text = _PERCENT.sub("", text).strip()
    text, unit = _without_units(_CURLY_UNIT.sub("", text))
    text = _SCIENTIFIC_X.sub("*", _SCIENTIFIC.sub(r"*10^{\1}", text))
    text = _MIXED.sub(r"(\1+\2/\3)", text)
    builder = _BUILDER.fullmatch(text)
    if builder and "\\}" in text:
        text = builder.group(2).rstrip("\\")
    text, modulus = _without_modulus(text)
    text = english_numbers(_unwrapped(chinese_numbers(text)))
    if based := _BASE_IN_WORDS.fullmatch(text):
        text = f"{based[1]}_{{{based['said'] or based['written']}}}"
    text = _DIGITS_IN_BASE.sub(_in_base, text)
    unit = unit or modulus
    if unit is None and money:
        unit = _DOLLAR
    elif unit is None and _IN_DEGREES.search(text):
        unit = unit_of("degrees")[1]
    return Clean(text, percent, unit)


def _in_base(match: re.Match[str]) -> str:
    """A5 in base 11, whose digits the parser would take for a name."""
    digits, base = match[1] or match[2], int(match[3])
    if digits.isdigit() or not 2 <= base <= 36 or any(int(d, 36) >= base for d in digits):
        return match.group()
    return str(int(digits, base))


def _without_units(text: str) -> tuple[str, Unit | None]:
    """The text without units, and the unit at its end."""
    compound = _COMPOUND.fullmatch(re.sub(rf"{TEXT}\s*\{{([^{{}}]*)\}}", r" \1 ", text).strip())
    if compound:
        return _compound(text, compound)
    unit: Unit | None = None

    def text_unit(match: re.Match[str]) -> str:
        nonlocal unit
        measured = unit_of(match["text"] + (match["power"] or ""))[1]
        if measured is None and len(match["text"].strip(" ~")) == 1:
            return match.group()  # 4 \\mathrm{i}
        unit = measured
        return ""

    def phrase(match: re.Match[str]) -> str:
        nonlocal unit
        known, measured = unit_of(match["phrase"])
        words = re.findall("[A-Za-z]+", match["phrase"])
        # One letter could as well be a variable; see without_short_unit.
        if not known or not words or (len(words) == 1 and len(words[0]) == 1):
            return match.group()
        unit = measured
        return match["end"]

    text = _TEXT_UNIT.sub(text_unit, text)
    text = _PHRASE.sub(phrase, text).strip()
    chinese = None if text.isascii() else _CHINESE_PHRASE.search(text)
    if chinese:
        known, unit = chinese_unit(chinese["phrase"])
        text = text[: chinese.start()] if known else text
    return text.strip(), unit


def _without_modulus(text: str) -> tuple[str, Unit | None]:
    """7 (mod 10): the modulus is like a unit, dressing on one side, and on both the same one."""
    found = _MODULUS.search(text)
    if found is None:
        return text, None
    modulus = Unit(((f"modulo {int(found[1])}", 1),), Fraction(1), f"mod {found[1]}")
    return text[: found.start()].replace("\\equiv", "=").replace("≡", "="), modulus


def _compound(text: str, match: re.Match[str]) -> tuple[str, Unit | None]:
    """5 feet 3 inches, in inches; dollars and cents in dollars."""
    large, small = unit_of(match[2])[1], unit_of(match[4])[1]
    if large is None or small is None or large.dimension != small.dimension:
        return text, None
    if (
        large.dimension == _DOLLAR.dimension
    ):  # 2 dollars and 50 cents is 2.5, where no unit is named
        return f"{match[1]}+{match[3]}*{small.factor}", large
    return f"{match[1]}*{large.factor / small.factor}+{match[3]}", small


def without_short_unit(text: str) -> tuple[str, Unit | None]:
    """Take off a unit of one letter, which without the other answer could be a variable."""
    match = _ONE_LETTER_UNIT.search(text)
    if match is None:
        return text, None
    return text[: match.start()].rstrip(), unit_of(match[1] + (match[2] or ""))[1]


def _unnested(text: str) -> str:
    """((((1)))) is (1): brackets around brackets would only cost depth."""
    extra = min(len(text) - len(text.lstrip("(")), len(text) - len(text.rstrip(")"))) - 1
    core = text[extra:-extra] if extra > 0 else text
    return core if core != text and not re.search(r"[()]", core[1:-1]) else text


def _unicode(text: str) -> str:
    """One form of each sign; raised digits become powers before they would become plain digits."""
    if text.isascii():
        return text.translate(_SIGNS) if "\x00" in text else text
    text = re.sub(r"[⁰¹²³⁴-⁹⁻]+", lambda match: "^{" + match.group().translate(_RAISED) + "}", text)
    # ½ → " 1/2", so that 3½ is a mixed number
    text = re.sub(
        r"[¼-¾⅐-⅞]", lambda match: " " + unicodedata.normalize("NFKC", match.group()), text
    )
    return unicodedata.normalize("NFKC", text).translate(_SIGNS)


def _thousands(text: str) -> str:
    # Only a well-formed group of threes is a thousands separator; (1,234) of a tuple is none.
    text = re.sub(r"(?<=\d)(?:,\\!\s?|\s?\{\s?,\s?\}\s?|\\!,)(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d)(?:\\,|,\\,|\\!)\s?(?=\d{3}(?!\d))", ",", text)
    whole = re.compile(r"(?<![\d.,(\[{])(?<![(\[{] )[1-9]\d{0,2}(?:,\d{3})+(?!\d)(?!\s*[,)\]])")
    text = whole.sub(lambda m: m.group().replace(",", ""), text)
    spaced = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d,])")
    text = spaced.sub(lambda m: m.group().replace(" ", ""), text)
    text = re.sub(r"(?<!\\)\\[,;:!> ]|~|(?<!\\)\\[()\[\]]", " ", text)
    return re.sub(" {2,}", " ", text)


def _unwrapped(text: str) -> str:
    """Take off one pair of text commands or bold around the whole answer."""
    match = re.fullmatch(rf"(?:{TEXT}|\\boxed|\\fbox)\s*\{{([^{{}}]*)\}}", text)
    return (match.group(1) if match else text).strip(" *")


def words(text: str) -> str:
    """A text answer for comparison: letters, digits and Chinese characters only, lower case."""
    text = re.sub(rf"(?:{TEXT}|\\boxed)(?![A-Za-z])|\\[ ,;!]|[$~]", " ", text)
    if _MATHEMATICS.search(re.sub(r"[{}]|[.。]\s*$", "", text)):
        return ""
    return re.sub(r"[^\w]", "", unicodedata.normalize("NFKC", text)).casefold()
