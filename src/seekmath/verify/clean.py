"""Answers made comparable: dressing, units, money and thousands separators taken off."""

import re
import unicodedata
from dataclasses import dataclass

from seekmath.verify.chinese import chinese_numbers


@dataclass(frozen=True)
class Clean:
    """An answer without dressing, and whether it carried a percent sign."""

    text: str
    percent: bool


_UNITS = (
    r"(?:deg(?:ree)?s?|dollars?|cents?|euros?|pounds?|yuan|rupees?|hours?|hrs?|minutes?|mins?|"
    r"seconds?|secs?|days?|weeks?|months?|years?(?:\s+old)?|inch(?:es)?|feet|foot|yards?|yds?|"
    r"miles?|(?:centi|kilo|milli|deci)?(?:met(?:er|re)s?|grams?|lit(?:er|re)s?)|units?|square|sq|"
    r"cubic|cm|mm|km|kg|mg|mph|kph|ft|in|oz|ounces?|lbs?|ml|mL|gallons?|cups?|points?|people|"
    r"students?|ways?|times|per|an?|hour|km/h|m/s|radians?|ppm|volts?|joules?|newtons?|watts?)"
)
_UNITS_ZH = "|".join(
    "千米 厘米 毫米 分米 平方米 平方厘米 平方分米 平方千米 立方米 立方厘米 立方分米 千克 公斤"
    " 小时 分钟 公里 公顷 毫升 美元 个 元 角 米 克 吨 秒 天 年 月 人 本 张 枚 支 颗 朵 块 只 把"
    " 页 棵 条 辆 件 岁 次 度 箱 袋 瓶 组 升 名 位 双 套 层 道 种 斤 盒 架 艘 头 匹 根 座 间 台"
    " 排 杯 包 份 幅 串 篇 首 分 周 日 吋 亩".split()
)
_TRAILING = re.compile(
    rf"(?<=[\d}})])\s*(?:[\s/]*\b{_UNITS}\b\.?\s*(?:\^?\{{?[23]\}}?)?\s*)+$", re.IGNORECASE
)
_TRAILING_ZH = re.compile(rf"(?<=[\d}})])\s*(?:{_UNITS_ZH})[^\d]*$")
_TEXT = r"\\(?:text|mathrm|mbox|textbf|textnormal|textrm|mathbf|rm|operatorname)"
# Any text after a number is a unit, but not a word that joins or answers.
_TEXT_UNIT = re.compile(
    r"(?<=[\d})])\s*(?:\\?[ ,;!~])*"
    rf"{_TEXT}\s*\{{(?!\s*(?:or|and|if|for)\b)[^{{}}]*\}}(?:\s*\^\s*\{{?\d\}}?)?(?=\s*(?:,|;|$))"
)
_CURLY_UNIT = re.compile(r"(?<=\d)\s*\{\\rm\s[^{}]*\}")
_ONE_LETTER_UNIT = re.compile(r"(?<=[\d})])\s*(?:[mgshLlVAJNWKCF]|m/s|km/h)(?:\^?\{?[23]\}?)?$")
_SCIENTIFIC = re.compile(r"(?<=\d)[eE]([-+]?\d{1,3})\b")
_SCIENTIFIC_X = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
_PERCENT = re.compile(r"\s*(?:\\?%|\bpercent(?:age)?\b|\bpct\b)\s*\.?$", re.IGNORECASE)
_MONEY = re.compile(r"[€£¥₹]|\b(?:USD|RMB|EUR|CNY|US)\b|\bRs\.?(?=\s*\d)")
_BUILDER = re.compile(r"\\?\{\s*([a-z])\s*(?:\\in\s*\\mathbb\{?R\}?|)\s*(?:\||\\mid|:)(.*)\\?\}$")
_MIXED = re.compile(r"(?<![\d.,/^_}])(\d{1,6})\s+(\d{1,6})\s*/\s*(\d{1,6})(?![\d.])")
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∶": ":",
     "′": "'", "’": "'", "\u200b": "", "\u202e": "", "\ufeff": "", "\x00": "", "\u200e": ""}
)  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def clean(text: str) -> Clean:
    """An answer ready for the parser."""
    text = _unicode(text).lstrip(" :").strip()
    if "\\\\" in text and "\\begin" not in text:
        text = re.sub(r"\\\\(?=[A-Za-z])", r"\\", text)
    text = _unnested(re.sub(r'\\?["$]', "", text))
    text = _thousands(re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"\1", text))
    text = _MONEY.sub("", text)
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text)
    text = re.sub(r"^(?:\\approx|≈|~)\s*", "", text.strip()).rstrip(".。,;").strip()
    text = re.sub(r"(?<=[A-Za-z\u4e00-\u9fff])!+$", "", text)
    percent = bool(_PERCENT.search(text))
    text = _PERCENT.sub("", text).strip()
    text = _TEXT_UNIT.sub("", _CURLY_UNIT.sub("", text))
    text = _TRAILING_ZH.sub("", _TRAILING.sub("", text)).strip()
    text = _SCIENTIFIC_X.sub("*", _SCIENTIFIC.sub(r"*10^{\1}", text))
    text = _MIXED.sub(r"(\1+\2/\3)", text)
    builder = _BUILDER.fullmatch(text)
    if builder and "\\}" in text:
        text = builder.group(2).rstrip("\\")
    text = chinese_numbers(text)
    return Clean(_unwrapped(text), percent)


def without_short_unit(text: str) -> str:
    """Take off a unit of one letter, which without the other answer could be a variable."""
    return _ONE_LETTER_UNIT.sub("", text)


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
    text = re.sub(r"(?<=\d)(?:\{\s*,\s*\}|,\\!|\\!,|\\,|,\\,|\\!)\s*(?=\d{3}(?!\d))", ",", text)
    whole = re.compile(r"(?<![\d.,(\[{])[1-9]\d{0,2}(?:,\d{3})+(?!\d)(?!\s*[,)\]])")
    text = whole.sub(lambda m: m.group().replace(",", ""), text)
    spaced = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d,])")
    text = spaced.sub(lambda m: m.group().replace(" ", ""), text)
    return re.sub(r"(?<!\\)\\[,;:!> ]|~|(?<!\\)\\[()\[\]]", " ", text)


def _unwrapped(text: str) -> str:
    """Take off one pair of text commands or bold around the whole answer."""
    match = re.fullmatch(rf"(?:{_TEXT}|\\boxed|\\fbox)\s*\{{([^{{}}]*)\}}", text)
    return (match.group(1) if match else text).strip(" *")


def words(text: str) -> str:
    """A text answer for comparison: letters, digits and Chinese characters only, lower case."""
    text = re.sub(rf"(?:{_TEXT}|\\boxed)(?![A-Za-z])|\\[ ,;!]|[$~]", " ", text)
    if re.search(r"[\\^_=<>/*+|(){}\[\],:]|\d\.\d", re.sub(r"[{}]|[.。]\s*$", "", text)):
        return ""
    return re.sub(r"[^\w]", "", unicodedata.normalize("NFKC", text)).casefold()
