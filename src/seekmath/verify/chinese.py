"""Numbers as Chinese writes them: 三百二十一, 两千零五, 1.2万, 五分之三, 百分之二十."""

import re

_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "亿": 10**8}
_NUMERAL = "[零一二三四五六七八九十百千万亿两〇]{1,60}(?:点[零一二三四五六七八九〇]{1,60})?"
_PART = rf"(?:{_NUMERAL}|\d{{1,40}}(?:\.\d{{1,40}})?)"
_FRACTION = re.compile(rf"(?:({_PART})又)?({_PART})分之({_PART})")
_SCALED = re.compile(r"(\d{1,40}(?:\.\d{1,40})?)\s?(万|亿)")
_MIXED = re.compile(r"(\d{1,40})又\s?(\d{1,40})\s?/\s?(\d{1,40})")
_WHOLE = re.compile(_NUMERAL)


def chinese_numbers(text: str) -> str:
    """Replace a Chinese number that is the whole text, and fractions and 万/亿 anywhere."""
    if text.isascii():
        return text
    if "分之" in text:
        text = _FRACTION.sub(_fraction, text)
    text = _SCALED.sub(lambda m: f"{m[1]}*{_MYRIADS[m[2]]}", text)
    text = _MIXED.sub(r"(\1+\2/\3)", text)
    sign, rest = ("-", text[1:].strip()) if text.startswith("负") else ("", text)
    return sign + (_value(rest) if _WHOLE.fullmatch(rest) else rest)


def _fraction(match: re.Match[str]) -> str:
    whole, bottom, top = match.groups()
    fraction = f"{_value(top)}/{_value(bottom)}"
    return f"({_value(whole)}+{fraction})" if whole else fraction


def _value(text: str) -> str:
    whole, _, decimals = text.partition("点")
    if not _WHOLE.fullmatch(text):
        return text
    rest = "." + "".join(str(_DIGITS[c]) for c in decimals) if decimals else ""
    return f"{_whole(whole)}{rest}"


def _whole(text: str) -> int:
    if not any(c in _PLACES or c in _MYRIADS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    high, middle, section, digit = 0, 0, 0, 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
            continue
        if character in _PLACES:
            section += (digit or 1) * _PLACES[character]
        elif character == "万":
            middle, section = (middle + section + digit) * 10**4, 0
        else:
            high, middle, section = (high + middle + section + digit) * 10**8, 0, 0
        digit = 0
    return high + middle + section + digit
