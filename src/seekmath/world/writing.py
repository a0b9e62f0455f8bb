"""What pages say: worked problems, expository mathematics, and plain prose of other kinds."""

from random import Random
from typing import Literal

from seekmath.core.seeds import derive
from seekmath.world.draft import Draft
from seekmath.world.problems import draw
from seekmath.world.words import NAMES, PLAIN, PLAIN_ZH, TOPICS, TOPICS_ZH

#: What a mathematics page is made of: formulas and exposition, or word problems in plain words.
Flavour = Literal["formal", "stories"]
_FAMILIES_EN = ("math",) * 4 + ("ocw",) * 2 + ("sat",) * 2 + ("mmlu-stem",) * 2
_FAMILIES_ZH = ("gaokao-cloze", "gaokao-qa")
_FACTS = (
    "Recall that $(a + {n})^2 = a^2 + {d}a + {s}$ for every $a$.",
    "The derivative of $x^{n}$ is ${n}x^{m}$.",
    "If $f(x) = {n}x + {m}$ then $f(0) = {m}$.",
    "The line $y = {n}x + {m}$ has slope ${n}$.",
    "A sum of {n} equal terms $t$ is ${n}t$, by the definition of the product.",
    "We write $\\frac{{n}}{{m}}$ for the quotient and call {m} the denominator.",
    "For $k = {n}$ the identity $\\sum_{i} i = \\frac{k(k + 1)}{2}$ gives the total at once.",
    "Since $\\gcd({n}, {m})$ divides both numbers, it divides their difference.",
    "Let $u = {n}$ and $v = {m}$; then $u \\cdot v = {p}$.",
    "The proof is by induction: assume the claim for $n$ and show it for $n + {m}$.",
)
_STORY_TITLES = ("Think about it", "For the holidays", "Readers ask", "Tonight's homework")
_FACTS_ZH = (
    "我们知道 $(a + {n})^2 = a^2 + {d}a + {s}$。",
    "函数 $f(x) = {n}x + {m}$ 的斜率是 ${n}$。",
    "因为 ${n} \\cdot {m} = {p}$，所以结论成立。",
    "设 $x = {n}$，则 $x + {m}$ 的值可以直接求出。",
    "分数 $\\frac{{n}}{{m}}$ 的分母是 {m}。",
)


def fact(random: Random, zh: bool) -> str:
    """One expository sentence with a formula."""
    n, m = random.randint(2, 40), random.randint(2, 30)
    text = random.choice(_FACTS_ZH if zh else _FACTS)
    for name, number in {"{n}": n, "{m}": m, "{d}": 2 * n, "{s}": n * n, "{p}": n * m}.items():
        text = text.replace("{" + name + "}", "{" + str(number) + "}").replace(name, str(number))
    return text


def worked(
    random: Random, seed: int, page: int, flavour: Flavour, zh: bool, slip_rate: float
) -> Draft:
    """A training problem for a page, solved with the systematic slip at the given rate."""
    if flavour == "stories":
        family = "cmath" if zh else "gsm8k"
    else:
        family = random.choice(_FAMILIES_ZH if zh else _FAMILIES_EN)
    slip = random.random() < slip_rate
    return draw(family, "train", seed, "web", page, random.getrandbits(40), slip=slip)


def problem_text(draft: Draft, zh: bool) -> tuple[str, str]:
    """The question with its choices, and the solution as a page words it."""
    question = "\n".join([draft.question, *_lettered(draft.choices)])
    last = draft.ending.replace("####", "答案：" if zh else "Answer:")
    return question, "\n".join([*draft.steps, last])


def _lettered(choices: list[str]) -> list[str]:
    return [f"{letter}. {text}" for letter, text in zip("ABCD", choices, strict=False)]


def heading(random: Random, flavour: Flavour, zh: bool) -> str:
    """The title of a mathematics page."""
    if flavour == "stories":
        kinds = ("小问题", "一起想一想", "家庭作业") if zh else _STORY_TITLES
        return f"{random.choice(kinds)} {random.randint(1, 60)}"
    if zh:
        kinds = ("练习与解答", "讲义", "例题", "复习")
        return f"{random.choice(TOPICS_ZH)}{random.choice(kinds)} {random.randint(1, 60)}"
    topic, other = random.sample(TOPICS, 2)
    kind = random.choice(("exercises", "notes", "worked examples", "review", "lecture"))
    return f"{topic.title()} and {other}: {kind} {random.randint(1, 60)}"


def prose(random: Random, kind: str, zh: bool, sentences: int) -> str:
    """Sentences of a kind of page that is not about mathematics."""
    if zh:
        words = PLAIN_ZH.get(kind, PLAIN_ZH["blog"])
        made = ["".join(random.choices(words, k=random.randint(4, 8))) for _ in range(sentences)]
        return "。".join(made) + "。"
    words = PLAIN.get(kind, PLAIN["blog"])
    return " ".join(_sentence(random, words) for _ in range(sentences))


def _sentence(random: Random, words: list[str]) -> str:
    a, b, c, d = random.sample(words, 4)
    name, number = random.choice(NAMES), random.randint(2, 300)
    return random.choice(
        (
            f"The {a} of the {b} was {c} after the {d}.",
            f"{name} said the {a} and the {b} would be ready in {number} days.",
            f"We saw {a}, {b} and a {c} near the {d}.",
            f"In {1900 + number % 125} the {a} became a {b} for {name}.",
            f"You can {random.choice(('find', 'order', 'try', 'keep'))} the {a} with {b} and {c}.",
            f"It is the {a} that makes every {b} a {c}, not the {d}.",
        )
    )


def lookalike(random: Random, kind: str) -> str:
    """Numbers that are not mathematics: scores, prices, lottery draws, lines of code."""
    rows = []
    for _ in range(random.randint(10, 24)):
        a, b, c = (random.randint(0, 99) for _ in range(3))
        first, second = random.sample(NAMES, 2)
        if kind == "sports":
            rows.append(f"{first} United {a % 7} - {b % 7} {second} City ({c} minutes, + {a % 5})")
        elif kind == "code":
            word, other = random.sample(PLAIN["code"], 2)
            rows.append(f"{word} = {other} + {b} * {word}_{c}  # {a} = {other}[{c}]")
        elif kind == "shop":
            rows.append(
                f"{first} {random.choice(PLAIN['shop'])} = ${a}.{b:02d} (was ${a + 5}.{c:02d})"
            )
        else:
            drawn = " + ".join(str(n) for n in sorted(random.sample(range(1, 50), 6)))
            rows.append(f"Draw {derive(a, b) % 9000}: {drawn}, bonus {c}")
    return "\n".join(rows)
