"""Corpora beside the web, for what is trained on besides mined mathematics.

``code`` are Python modules with their doctests, ``papers`` are LaTeX sources in the manner of
arXiv, ``general`` is prose in English and Chinese, ``solutions`` are test problems with their
solutions, to measure bits per byte on and never to train on. Document i of a corpus is a pure
function of (seed, corpus, i).
"""

from collections.abc import Callable
from random import Random
from typing import Any

from seekmath.core.seeds import python_random
from seekmath.world.problems import FAMILIES, draw
from seekmath.world.words import PLAIN, TOPICS
from seekmath.world.writing import prose

_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
_VERBS = ("count", "total", "update", "merge", "scale", "shift", "combine", "collect")


def documents(corpus: str, count: int, seed: int) -> list[dict[str, Any]]:
    """``count`` documents of a corpus as rows with ``text``."""
    write = CORPORA[corpus]
    return [
        {"text": write(python_random(seed, "corpus", corpus, number), seed, number)}
        for number in range(count)
    ]


def _code(random: Random, seed: int, number: int) -> str:
    imports = random.sample(("math", "json", "random", "itertools"), random.randint(0, 2))
    parts = [f"import {name}\n" for name in sorted(imports)]
    parts += [_function(random) for _ in range(random.randint(5, 9))]
    return "\n".join(parts)


def _function(random: Random) -> str:
    """A function of a few assignments, with calls whose results stand beside them."""
    word, other = random.sample(PLAIN["code"], 2)
    name = f"{random.choice(_VERBS)}_{word}"
    names = ["a", "b", "c", "d", "e"][: random.randint(3, 5)]
    steps = [
        (random.choice("++-*"), random.choice(names[:place]), random.choice(names[:place]), target)
        for place, target in enumerate(names)
        if place >= 2
    ]
    body = [f"    {target} = {left} {sign} {right}" for sign, left, right, target in steps]
    calls = []
    for _ in range(random.randint(1, 3)):
        given = {"a": random.randint(2, 30), "b": random.randint(2, 15)}
        calls.append(f">>> {name}({given['a']}, {given['b']})\n    {_run(steps, given)}")
    examples = "\n    ".join(calls)
    return (
        f'def {name}(a, b):\n    """Return the {other} of a {word}.\n\n    {examples}\n    """\n'
        + "\n".join(body)
        + f"\n    return {steps[-1][3]}\n"
    )


def _run(steps: list[tuple[str, str, str, str]], given: dict[str, int]) -> int:
    values = dict(given)
    for sign, left, right, target in steps:
        values[target] = _OPERATIONS[sign](values[left], values[right])
    return values[steps[-1][3]]


_OBJECTS = (
    ("group", "G", "subgroup", "H"),
    ("ring", "R", "ideal", "I"),
    ("module", "M", "submodule", "N"),
    ("space", "X", "closed subset", "Y"),
    ("graph", "\\Gamma", "induced subgraph", "\\Delta"),
    ("category", "\\mathcal{C}", "full subcategory", "\\mathcal{D}"),
)
_PROPERTIES = (
    "finite", "compact", "noetherian", "separable", "connected", "abelian", "flat", "complete",
)  # fmt: skip
_MAPS = ("\\varphi", "\\psi", "\\pi", "\\iota", "f", "g")
_PROOFS = (
    "By Lemma {k} the map ${m}$ is injective, and ${x}/{y}$ is {p} by assumption.",
    "Choose ${y}' \\subseteq {y}$ maximal with respect to being {p}; it exists by Zorn's lemma.",
    "Suppose not. Then $\\ker({m}) \\cap {y} \\neq 0$, which contradicts that ${x}$ is {p}.",
    "The diagram commutes because ${m} \\circ \\pi_{k} = \\pi_{k} \\circ {m}$ for every $k$.",
    "Passing to the limit we obtain $\\lim_{{n \\to \\infty}} {m}_n({y}) = {y}$.",
    "It suffices to treat the case in which ${y}$ is {p}, and this is Proposition {k} of [{k}].",
)


def _papers(random: Random, seed: int, number: int) -> str:
    whole, x, part, y = random.choice(_OBJECTS)
    first, second = random.sample(_PROPERTIES, 2)
    lines = [
        f"\\title{{On {first} {part}s of {second} {whole}s}}",
        "\\begin{abstract}",
        f"We show that every {first} {part} of a {second} {whole} is {second}, and give an",
        f"application to {random.choice(TOPICS)}.",
        "\\end{abstract}",
        "\\section{Introduction}",
        f"Let ${x}$ be a {second} {whole} and let ${y}$ be a {part} of ${x}$.",
    ]
    for place in range(1, random.randint(4, 8)):
        lines += _theorem(random, place, x, y)
    return "\n".join(lines)


def _theorem(random: Random, place: int, x: str, y: str) -> list[str]:
    kind = random.choice(("theorem", "lemma", "proposition", "corollary"))
    first, second = random.sample(_PROPERTIES, 2)
    symbol = random.choice(_MAPS)
    told = random.choice(
        (
            f"If ${x}$ is {first}, then ${symbol} \\colon {x} \\to {y}$ is {second}.",
            f"The following are equivalent: (i) ${y}$ is {first}; (ii) ${x}/{y}$ is {second}.",
            f"There is a unique ${symbol} \\in \\operatorname{{Hom}}({x}, {y})$ that is {first}.",
        )
    )
    working = [
        line.format(k=random.randint(1, 9), m=symbol, x=x, y=y, p=random.choice(_PROPERTIES))
        for line in random.sample(_PROOFS, random.randint(2, 4))
    ]
    return [
        f"\\begin{{{kind}}}\\label{{{kind[:3]}:{place}}}",
        told,
        f"\\end{{{kind}}}",
        "\\begin{proof}",
        *working,
        "\\end{proof}",
    ]


def _general(random: Random, seed: int, number: int) -> str:
    zh = random.random() < 0.25
    kind = random.choice(("blog", "news", "shop", "recipes"))
    return "\n".join(prose(random, kind, zh, random.randint(3, 7)) for _ in range(6))


def _solutions(random: Random, seed: int, number: int) -> str:
    family = list(FAMILIES)[number % len(FAMILIES)]
    draft = draw(family, "test", seed, "solutions", number)
    return f"{draft.question}\n{draft.solution()}"


#: What writes a document of each corpus.
CORPORA: dict[str, Callable[[Random, int, int], str]] = {
    "code": _code,
    "papers": _papers,
    "general": _general,
    "solutions": _solutions,
}
