r"""Units after a number: what they measure and how they convert.

``5 cm`` is ``0.05 m`` and never ``5 m``; a unit on one side only is dressing. Units that measure
nothing known here (apples, people, points) are read away.
"""

import re
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Unit:
    """A unit of measurement: what it measures, as powers, and how many base units it is."""

    dimension: tuple[tuple[str, int], ...]
    factor: Fraction
    name: str


# Names of a unit, and how many base units it is; lengths are in metres.
_LENGTHS: dict[str, int | str] = {
    "m meter metre": 1, "cm centimeter centimetre": "0.01", "mm millimeter millimetre": "0.001",
    "km kilometer kilometre": 1000, "dm decimeter decimetre": "0.1", "nm nanometer": "1e-9",
    "in inch inche": "0.0254", "ft foot feet": "0.3048", "yd yard": "0.9144", "mi mile": "1609.344",
}  # fmt: skip
_OTHERS: dict[str, dict[str, int | str]] = {
    "mass": {
        "g gram": 1, "kg kilogram": 1000, "mg milligram": "0.001", "lb pound": "453.59237",
        "oz ounce": "28.349523125",
    },
    "time": {
        "s sec second": 1, "min minute": 60, "h hr hour": 3600, "day": 86400, "week": 604800,
    },
    "month": {"month": 1, "year yr": 12},
    "dollar": {"dollar usd": 1, "cent": "0.01"},
    "euro": {"euro eur": 1}, "yuan": {"yuan rmb cny": 1}, "rupee": {"rupee": 1},
    "degree": {"degree deg": 1}, "radian": {"radian rad": 1}, "ppm": {"ppm": 1},
    "gallon": {"gallon": 1}, "cup": {"cup": 1}, "volt": {"volt v": 1}, "joule": {"joule j": 1},
    "newton": {"newton n": 1}, "watt": {"watt w": 1}, "kelvin": {"kelvin k": 1},
    "celsius": {"celsius c": 1}, "fahrenheit": {"fahrenheit f": 1}, "ampere": {"ampere amp a": 1},
    "unit": {"unit": 1},
}  # fmt: skip
_VOLUMES: dict[str, int | str] = {"l liter litre": "0.001", "ml milliliter millilitre": "0.000001"}
_SPEEDS = {"mph": Fraction("0.44704"), "kph": Fraction(1000, 3600)}
_MODIFIERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_COUNTED = frozenset(
    "people person student way time point child children item piece an old each".split()
)
_CHINESE_UNITS: dict[str, tuple[str, int | str]] = {
    "米": ("m", 1), "厘米": ("m", "0.01"), "毫米": ("m", "0.001"), "分米": ("m", "0.1"),
    "千米": ("m", 1000), "公里": ("m", 1000), "克": ("mass", 1), "千克": ("mass", 1000),
    "公斤": ("mass", 1000), "斤": ("mass", 500), "吨": ("mass", 10**6), "秒": ("time", 1),
    "分钟": ("time", 60), "小时": ("time", 3600), "天": ("time", 86400), "元": ("yuan", 1),
    "角": ("yuan", "0.1"), "美元": ("dollar", 1), "毫升": ("volume", 1), "升": ("volume", 1000),
    "度": ("degree", 1), "公顷": ("hectare", 1),
}  # fmt: skip
_CHINESE_COUNTED = (
    "个 年 月 人 本 张 枚 支 颗 朵 块 只 把 页 棵 条 辆 件 岁 次 箱 袋 瓶 组 名 位 双 套 层 道 种"
    " 盒 架 艘 头 匹 根 座 间 台 排 杯 包 份 幅 串 篇 首 分 周 日 吋 亩 对 群 场 站 题 枝 盆 筐 桶"
    " 户 家 门 堆 圈"
).split()
_POWERS = {"平方": 2, "立方": 3}


def _table() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    tables: list[tuple[str, int, dict[str, int | str]]]
    tables = [("m", 1, _LENGTHS), ("m", 3, _VOLUMES)]
    tables += [(dimension, 1, table) for dimension, table in _OTHERS.items()]
    for dimension, power, table in tables:
        for names, factor in table.items():
            for name in names.split():
                found[name] = Unit(((dimension, power),), Fraction(factor), name)
    for name, speed in _SPEEDS.items():
        found[name] = Unit((("m", 1), ("time", -1)), speed, name)
    return found


_UNITS = _table()
_PLURALS = {
    "feet": "foot", "inches": "inch", "lbs": "lb", "hrs": "hr", "mins": "min", "secs": "sec"
}  # fmt: skip
_WORD = re.compile(
    r"(?P<word>[A-Za-z]+)\.?|\^\s*\{?\s*(?P<power>-?[1-9])\s*\}?|(?P<raised>[²³])"
    r"|(?P<slash>/)|[\s·*~-]|\\[,;:! ]|\\cdot"
)


def unit_of(phrase: str) -> tuple[bool, Unit | None]:
    """Whether every word of a phrase is a unit, and the unit it measures in.

    None as the unit: what is counted has no measure.
    """
    parts = _parts(phrase.strip(" ."))
    if parts is None:
        return False, None
    powers: dict[str, int] = {}
    factor, known, measured = Fraction(1), True, bool(parts)
    for word, times in parts:
        unit = _named(word)
        if unit is None:
            measured = False
            known &= word.lower().removesuffix("s") in _COUNTED or word.lower() in _COUNTED
            continue
        factor *= unit.factor**times
        for name, power in unit.dimension:
            powers[name] = powers.get(name, 0) + power * times
    if not measured:
        return known, None
    dimension = tuple(sorted((name, power) for name, power in powers.items() if power))
    return known, Unit(dimension, factor, phrase.strip(" ."))


def _parts(phrase: str) -> list[tuple[str, int]] | None:
    """Words of a phrase with their powers; None where it holds anything else."""
    found: list[tuple[str, int]] = []
    place, sign, raised = 0, 1, 1
    while place < len(phrase):
        match = _WORD.match(phrase, place)
        if match is None:
            return None
        place = match.end()
        if match["slash"] or (match["word"] or "").lower() == "per":
            sign = -1
        elif match["word"]:
            power = _MODIFIERS.get(match["word"].lower())
            if power:
                raised = power
            else:
                found.append((match["word"], sign * raised))
                raised = 1
        elif (match["power"] or match["raised"]) and found:
            power = int(match["power"] or {"²": 2, "³": 3}[match["raised"]])
            found[-1] = (found[-1][0], found[-1][1] * power)
    return found


def _named(word: str) -> Unit | None:
    if len(word) == 1:
        # N, J, W, V, K, C, F, A are units as capitals only; m, g, s, h as small letters only.
        wanted = word.isupper() if word.lower() in "vjnwkcfa" else word.islower() or word == "L"
        return _UNITS.get(word.lower()) if wanted else None
    word = _PLURALS.get(word.lower(), word.lower())
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))


_CHINESE_UNIT = re.compile(
    "(平方|立方)?("
    + "|".join(sorted([*_CHINESE_UNITS, *_CHINESE_COUNTED], key=len, reverse=True))
    + ")(/|每)?"
)


def chinese_unit(phrase: str) -> tuple[bool, Unit | None]:
    """The same for a phrase that begins with a Chinese unit; what follows is what is counted."""
    match = _CHINESE_UNIT.match(phrase)
    if match is None:
        return False, None
    power, name, per = match.groups()
    if per or name not in _CHINESE_UNITS or re.search("[/每]", phrase):
        return True, None
    dimension, factor = _CHINESE_UNITS[name]
    if dimension == "volume":  # in millilitres
        return True, Unit((("m", 3),), Fraction(factor) / 10**6, name)
    times = _POWERS.get(power or "", 1)
    return True, Unit(((dimension, times),), Fraction(factor) ** times, match.group())


def clash(left: Unit | None, right: Unit | None) -> bool:
    """Whether two units measure different things."""
    if left is None or right is None or left.dimension == right.dimension:
        return False
    generic = [any(name == "unit" for name, _ in one.dimension) for one in (left, right)]
    if generic[0] != generic[1]:
        # "units" stands for any length, but square units never for a length.
        powers = [sorted(power for _, power in one.dimension) for one in (left, right)]
        return powers[0] != powers[1]
    return True
