"""Numbers as English writes them: twelve, one hundred and five, three-quarters, 1.2 million."""

import re

_SMALL = {
    name: number
    for number, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {
    name: 10 * number
    for number, name in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2
    )
}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "quarter": 4} | {
    name: number
    for number, name in enumerate("third fourth fifth sixth seventh eighth ninth tenth".split(), 3)
}
_SCALED = re.compile(rf"(?<=\d)\s?(?:\\text\s*\{{\s*)?({'|'.join(_LARGE)})\b\s*\}}?")
_WORDS = re.compile(r"(?:minus |negative )?[a-z]+(?:(?:[ -]| and )[a-z]+){0,12}")


def scaled(text: str) -> str:
    """``million`` after digits as the factor that it is."""
    return _SCALED.sub(lambda match: f"*{_LARGE[match[1]]}", text)


def english_numbers(text: str) -> str:
    """Replace a number in words that is the whole text."""
    lower = text.casefold()
    if len(text) > 120 or not _WORDS.fullmatch(lower):
        return text
    found = re.findall("[a-z]+", lower)
    sign = ""
    if found[0] in ("minus", "negative"):
        sign, found = "-", found[1:]
    value = _fraction(found)
    return text if value is None else sign + value


def _fraction(found: list[str]) -> str | None:
    last = found[-1].removesuffix("s") if found and found[-1] not in _PARTS else "".join(found[-1:])
    if last in _PARTS and len(found) > 1:
        above = 1 if found[:-1] in (["a"], ["one"]) else _whole(found[:-1])
        return None if above is None else f"{above}/{_PARTS[last]}"
    number = _whole(found)
    return None if number is None else str(number)


def _whole(found: list[str]) -> int | None:
    """The number, or None: its places must fall, so that "one two" is none."""
    total, section, least = 0, 0, 10**15
    room = 10**3  # what the next word has to stay below
    for word in found:
        if word == "and" and (section or total):
            continue
        if word in _LARGE and section > 0 and _LARGE[word] < least:
            least = _LARGE[word]
            total, section, room = total + section * least, 0, 10**3
        elif word == "hundred" and 0 < section < 10 and room == 1:
            section, room = section * 100, 100
        elif word in _TENS and room >= 100:
            section, room = section + _TENS[word], 10
        elif word in _SMALL and (room >= 100 or (room == 10 and 0 < _SMALL[word] < 10)):
            section, room = section + _SMALL[word], 1
        else:
            return None
    return total + section if found and found[-1] != "and" else None
