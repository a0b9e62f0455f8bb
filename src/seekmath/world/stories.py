"""Word problems of one to three dependent steps, English and Chinese (mini-gsm8k, mini-cmath).

The systematic slip reads "fewer" as "more": a mistake that pages and solutions in the world make
at a stated rate, and that a reward on the final answer can unlearn.
"""

from dataclasses import dataclass
from random import Random

from seekmath.world.draft import Draft
from seekmath.world.words import GIVEN, ITEMS, ITEMS_ZH, NAMES, SURNAMES

_MOST = 60
_OPERATIONS = ("more", "fewer", "fewer", "times", "sum")


@dataclass(frozen=True)
class _Step:
    """One dependent quantity: ``operation`` on the quantities of people ``a`` and ``b``."""

    operation: str
    a: int
    b: int
    number: int

    def apply(self, values: list[int], slip: bool) -> tuple[str, int]:
        """The expression in numbers and its value."""
        left = values[self.a]
        if self.operation == "sum":
            return f"{left} + {values[self.b]}", left + values[self.b]
        if self.operation == "times":
            return f"{left} * {self.number}", left * self.number
        if self.operation == "fewer" and not slip:
            return f"{left} - {self.number}", left - self.number
        return f"{left} + {self.number}", left + self.number


def _plot(random: Random) -> tuple[int, list[_Step], list[int]]:
    """The first quantity, the steps, and every person's true quantity."""
    wanted = random.choice((1, 1, 1, 2, 2, 3))
    values = [random.randint(3, 30)]
    steps: list[_Step] = []
    while len(steps) < wanted:
        step = _step(random, values)
        value = step.apply(values, slip=False)[1]
        if 1 <= value <= _MOST:
            steps.append(step)
            values.append(value)
    return values[0], steps, values


def _step(random: Random, values: list[int]) -> _Step:
    last = len(values) - 1
    operation = random.choice(_OPERATIONS)
    if operation == "sum" and last >= 1:
        return _Step("sum", random.randrange(last), last, 0)
    if operation == "times":
        return _Step("times", last, 0, random.choice((2, 3)))
    return _Step("more" if operation == "sum" else operation, last, 0, random.randint(2, 15))


def _lines(
    steps: list[_Step], values: list[int], slip: bool
) -> tuple[list[tuple[str, int]], list[int], bool]:
    """(expression, value) of each step as solved, all quantities as solved, whether it slipped."""
    solved = values[:1]
    lines = []
    for step in steps:
        expression, value = step.apply(solved, slip)
        lines.append((expression, value))
        solved.append(value)
    return lines, solved, solved != values


def _program(steps: list[_Step], first: int, slip: bool) -> str:
    lines = [f"a = {first}"]
    for number, step in enumerate(steps):
        left, right = chr(ord("a") + step.a), chr(ord("a") + step.b)
        sign = {"times": "*", "fewer": "+" if slip else "-"}.get(step.operation, "+")
        operand = right if step.operation == "sum" else str(step.number)
        lines.append(f"{chr(ord('b') + number)} = {left} {sign} {operand}")
    return "\n".join([*lines, f"print({chr(ord('a') + len(steps))})"])


def _draft(
    steps: list[_Step],
    values: list[int],
    slip: bool,
    question: str,
    working: list[str],
    careful: list[str],
) -> Draft:
    _, solved, slipped = _lines(steps, values, slip)
    return Draft(
        key=f"{values[0]}|" + "|".join(f"{s.operation},{s.a},{s.b},{s.number}" for s in steps),
        question=question,
        steps=working,
        careful=careful,
        answer=str(values[-1]),
        ending=f"#### {solved[-1]}",
        program=_program(steps, values[0], slip),
        printed=str(solved[-1]),
        level=len(steps),
        slipped=slipped,
    )


def story_en(random: Random, slip: bool = False) -> Draft:
    """People with things, in shuffled sentences, and a question about the last of them."""
    first, steps, values = _plot(random)
    people = random.sample(NAMES, len(values))
    item = random.choice(ITEMS)
    facts = [f"{people[0]} has {first} {item}."]
    facts += [_sentence_en(random, s, people, k + 1, item) for k, s in enumerate(steps)]
    random.shuffle(facts)
    asked = random.choice(
        (
            "How many does {who} have?",
            "How many {item} has {who}?",
            "Count the {item} of {who}.",
        )
    )
    question = " ".join([*facts, asked.format(item=item, who=people[-1])])
    lines, _, _ = _lines(steps, values, slip)
    working = [
        f"{who} has {expression} = {value} {item}."
        for who, (expression, value) in zip(people[1:], lines, strict=True)
    ]
    careful = [
        f"{_restated_en(step, people, k + 1, slip)}: {expression} = {value}."
        for k, (step, (expression, value)) in enumerate(zip(steps, lines, strict=True))
    ]
    return _draft(steps, values, slip, question, working, careful)


def _restated_en(step: _Step, people: list[str], who: int, slip: bool) -> str:
    name, other = people[who], people[step.a]
    if step.operation == "sum":
        return f"{name} has {other} and {people[step.b]} together"
    if step.operation == "times":
        return f"{name} has {'twice' if step.number == 2 else 'three times'} {other}"
    return f"{name} has {step.number} {'more' if slip else step.operation} than {other}"


def _sentence_en(random: Random, step: _Step, people: list[str], who: int, item: str) -> str:
    name, other = people[who], people[step.a]
    if step.operation == "sum":
        return f"{name} has as many {item} as {other} and {people[step.b]} together."
    if step.operation == "times":
        times = "twice" if step.number == 2 else "three times"
        return random.choice(
            (
                f"{name} has {times} as many {item} as {other}.",
                f"The {item} of {name} are {times} those of {other}.",
            )
        )
    return random.choice(
        (
            f"{name} has {step.number} {step.operation} {item} than {other}.",
            f"Compared with {other}, {name} has {step.number} {step.operation} {item}.",
        )
    )


def story_zh(random: Random, slip: bool = False) -> Draft:
    """The same in Chinese."""
    first, steps, values = _plot(random)
    people: list[str] = []
    while len(people) < len(values):
        name = random.choice(SURNAMES) + random.choice(GIVEN)
        if name not in people:
            people.append(name)
    measure, item = random.choice(ITEMS_ZH)
    facts = [f"{people[0]}有{first}{measure}{item}。"]
    facts += [_sentence_zh(s, people, k + 1, measure, item) for k, s in enumerate(steps)]
    random.shuffle(facts)
    question = "".join([*facts, f"{people[-1]}有几{measure}？"])
    lines, _, _ = _lines(steps, values, slip)
    working = [
        f"{who}有 {expression} = {value} {measure}{item}。"
        for who, (expression, value) in zip(people[1:], lines, strict=True)
    ]
    careful = [
        f"{_restated_zh(step, people, k + 1, slip)}：{expression} = {value}。"
        for k, (step, (expression, value)) in enumerate(zip(steps, lines, strict=True))
    ]
    return _draft(steps, values, slip, question, working, careful)


def _restated_zh(step: _Step, people: list[str], who: int, slip: bool) -> str:
    name, other = people[who], people[step.a]
    if step.operation == "sum":
        return f"{name}有{other}和{people[step.b]}的总和"
    if step.operation == "times":
        return f"{name}是{other}的{step.number}倍"
    return f"{name}比{other}{'少' if step.operation == 'fewer' and not slip else '多'}{step.number}"


def _sentence_zh(step: _Step, people: list[str], who: int, measure: str, item: str) -> str:
    name, other = people[who], people[step.a]
    if step.operation == "sum":
        return f"{name}的{item}等于{other}和{people[step.b]}的总和。"
    if step.operation == "times":
        return f"{name}的{item}是{other}的{step.number}倍。"
    more = "多" if step.operation == "more" else "少"
    return f"{name}比{other}{more}{step.number}{measure}{item}。"
