"""Answers made comparable: dressing, units, money and thousands separators taken off."""

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Clean:
    """An answer without dressing, and whether it carried a percent sign."""

    text: str
    percent: bool


_DIGITS_ZH = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_PLACES_ZH = {"十": 10, "百": 100, "千": 1000}
_UNITS = (
    r"(?:degrees?|dollars?|cents?|euros?|pounds?|hours?|minutes?|seconds?|days?|weeks?|months?|"
    r"years?|inch(?:es)?|feet|foot|miles?|meters?|metres?|centimeters?|kilometers?|grams?|"
    r"kilograms?|liters?|litres?|units?|square|cubic|cm|mm|km|kg|mph|ft|in|lbs?|ml|"
    r"points?|people|students?|ways?|times)"
)
_UNITS_ZH = "|".join(
    "个 元 米 千米 厘米 平方米 平方厘米 立方米 千克 克 吨 小时 分钟 秒 天 年 月 人 本 张 枚 支 颗 朵 块 只"
    " 把 页 棵 条 辆 件 岁 次 度 箱 袋 瓶 组 升 毫升 公里 公顷 名 位 双 套 层 道 种".split()
)
_TRAILING = re.compile(rf"(?<=[\d}})])\s*(?:{_UNITS}\b\.?\s*(?:\^?[23])?\s*)+$", re.IGNORECASE)
_TRAILING_ZH = re.compile(rf"(?<=[\d}})])(?:{_UNITS_ZH})[^\d]*$")
_TEXT_UNIT = re.compile(
    r"(?<=[\d})])\s*\\?[ ,;!]*\\(?:text|mathrm|mbox|textbf)\s*\{[^{}]*\}(?:\^\{?\d\}?)?$"
)
_SCIENTIFIC = re.compile(r"(?<=\d)[eE]([-+]?\d{1,3})\b")
_CHINESE_NUMBER = re.compile(r"[零一二三四五六七八九十百千两〇]+")


def clean(text: str) -> Clean:
    """An answer ready for the parser."""
    text = unicodedata.normalize("NFKC", text).lstrip(" :").strip()
    text = text.replace("−", "-").replace("–", "-").replace("×", "*").replace("·", "*")
    text = text.replace("÷", "/").replace("\\$", "").replace("$", "")
    for mark in ("\\left", "\\right", "\\displaystyle"):
        text = re.sub(re.escape(mark) + r"(?![A-Za-z])", "", text)
    text = _thousands(text)
    text = re.sub(r"^(?:[€£¥]|US|USD|RMB)\s*(?=[-\d])", "", text)
    text = text.strip().rstrip(".。,;!").strip()
    percent = bool(re.search(r"(?:\\?%|\bpercent|％)\s*$", text))
    text = re.sub(r"(?:\\?%|\bpercent|％)\s*$", "", text).strip()
    text = _TEXT_UNIT.sub("", text)
    text = _TRAILING_ZH.sub("", _TRAILING.sub("", text)).strip()
    text = re.sub(r"\s*(?:€|£|¥|°|\^\\circ|\^\{\\circ\})$", "", text)
    text = _SCIENTIFIC.sub(r"*10^{\1}", text)
    if _CHINESE_NUMBER.fullmatch(text):
        text = str(chinese_number(text))
    return Clean(_unwrapped(text), percent)


def _thousands(text: str) -> str:
    # Only a well-formed group of threes is a thousands separator; (1,234) of a tuple is none.
    whole = re.compile(
        r"(?<![\d.,(\[{])\d{1,3}(?:(?:,|\{,\}|\\,|,?\\!|,\\!)\d{3})+(?![\d])(?!\s*[,)\]])"
    )
    text = whole.sub(lambda m: re.sub(r"\D", "", m.group()), text)
    spaced = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d,])")
    text = spaced.sub(lambda m: m.group().replace(" ", ""), text)
    return re.sub(r"\\[,;:!>]|\\ |~|\\[()\[\]]", " ", text)


def _unwrapped(text: str) -> str:
    """Take off one pair of text commands or bold around the whole answer."""
    match = re.fullmatch(r"\\(?:text|mathrm|mbox|textbf|mathbf|boxed)\s*\{([^{}]*)\}", text)
    return (match.group(1) if match else text).strip(" *")


def words(text: str) -> str:
    """A text answer for comparison: letters, digits and Chinese characters only, lower case."""
    text = re.sub(r"\\(?:text|mathrm|mbox|textbf|mathbf|boxed)\b", "", text)
    if re.search(r"[\\^_=<>/*+\-|(){}\[\].,:]", re.sub(r"[{}]|[.。]$", "", text)):
        return ""
    return re.sub(r"[^\w]", "", unicodedata.normalize("NFKC", text)).casefold()


def chinese_number(text: str) -> int:
    """The value of a Chinese numeral below ten thousand, such as 三百二十一."""
    total, digit = 0, 0
    if not any(character in _PLACES_ZH for character in text):
        return int("".join(str(_DIGITS_ZH[character]) for character in text))
    for character in text:
        if character in _PLACES_ZH:
            total += (digit or 1) * _PLACES_ZH[character]
            digit = 0
        else:
            digit = _DIGITS_ZH[character]
    return total + digit
