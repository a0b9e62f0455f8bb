"""Hosts of the embedded web: what each is about, its language, its ways."""

from dataclasses import dataclass
from random import Random

from seekmath.core.seeds import python_random
from seekmath.world.markup import ENCODINGS
from seekmath.world.words import PLAIN, TOPICS

# Share of hosts of each kind, and the share of their pages that is mathematics.
_KINDS = {
    "notes": (0.10, 0.95),
    "qa": (0.07, 0.9),
    "wiki": (0.06, 0.4),
    "forum": (0.06, 0.25),
    "blog": (0.12, 0.12),
    "news": (0.15, 0.0),
    "shop": (0.15, 0.0),
    "recipe": (0.08, 0.0),
    "code": (0.1, 0.0),
    "sports": (0.05, 0.0),
    "spam": (0.06, 0.0),
}
_ENDINGS = ("com", "org", "net", "edu", "info", "io")
_SEED_HOSTS = 4


@dataclass(frozen=True)
class Host:
    """One host; ``weight`` is its share of the web's pages, ``seed`` whether seeds come from it."""

    name: str
    kind: str
    math_share: float
    language: str
    encoding: str
    charset: str
    style: int
    weight: float
    seed: bool


def make_hosts(count: int, seed: int) -> list[Host]:
    """The hosts of a web; sizes fall off as in real crawls."""
    hosts: list[Host] = []
    seeded = 0
    for number in range(count):
        random = python_random(seed, "host", number)
        kind = _kind_of(number, count)
        language = "zh" if random.random() < 0.25 else "en"
        # Seeds come from a few hosts that write TeX, as the first corpora did; one is Chinese.
        is_seed = kind in ("notes", "qa") and seeded < _SEED_HOSTS
        seeded += is_seed
        if is_seed:
            language = "zh" if seeded == _SEED_HOSTS else "en"
        encoding = "mathjax_delimiters" if is_seed else random.choice(list(ENCODINGS))
        hosts.append(
            Host(
                name=_name(random, kind, number, language),
                kind=kind,
                math_share=_KINDS[kind][1],
                language=language,
                encoding=encoding,
                charset=_charset(random, language),
                style=random.randrange(3),
                weight=1.0 / (1 + number % 17) ** 0.5,
                seed=is_seed,
            )
        )
    return hosts


def _kind_of(number: int, count: int) -> str:
    place, passed = (number + 0.5) / count, 0.0
    for kind, (share, _) in _KINDS.items():
        passed += share
        if place < passed:
            return kind
    return "spam"


def _charset(random: Random, language: str) -> str:
    if language == "zh":
        return random.choice(("utf-8", "utf-8", "gbk", "gb2312-unstated"))
    return random.choice(("utf-8", "utf-8", "utf-8", "utf-8-as-latin1", "iso-8859-1"))


def _name(random: Random, kind: str, number: int, language: str) -> str:
    if kind in ("notes", "qa") or (kind == "wiki" and number % 2):
        word = random.choice(TOPICS)
    else:
        word = random.choice(PLAIN.get(kind, PLAIN["blog"]))
    ending = "cn" if language == "zh" else random.choice(_ENDINGS)
    return f"{random.choice(('www.', '', ''))}{word}-{kind}{number}.{ending}"
