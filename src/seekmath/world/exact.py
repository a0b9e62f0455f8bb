"""Problems with formulas and choices: the mini MATH, OCW, SAT, MMLU-STEM and Gaokao families."""

from fractions import Fraction
from math import gcd
from random import Random

from seekmath.world.draft import Draft

_LETTERS = "ABCD"


def latex(value: Fraction) -> str:
    """A fraction in lowest terms as LaTeX."""
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _boxed(
    key: str, question: str, steps: list[str], value: Fraction, program: str, zh: bool = False
) -> Draft:
    ending = (
        f"所以答案是 $\\boxed{{{latex(value)}}}$。" if zh else f"So $\\boxed{{{latex(value)}}}$."
    )
    answer = latex(value)
    return Draft(key, question, steps, answer, ending, program, str(value), len(steps))


def mixed_math(random: Random, slip: bool = False) -> Draft:
    """A linear equation, a sum of fractions, or a remainder."""
    return random.choice((_equation, _fractions, _remainder))(random)


def _equation(random: Random) -> Draft:
    a, x, b = random.randint(2, 12), random.randint(-12, 20), random.randint(1, 40)
    c = a * x + b
    letter = random.choice("xyzt")
    asked = random.choice(("Solve ${e}$ for ${v}$.", "Find ${v}$ if ${e}$."))
    equation = f"{a}{letter} + {b} = {c}"
    steps = [f"${a}{letter} = {c} - {b} = {c - b}$.", f"${letter} = {c - b} / {a} = {x}$."]
    program = f"print(({c} - {b}) // {a})"
    question = asked.replace("{e}", equation).replace("{v}", letter)
    return _boxed(f"eq {a} {b} {c}", question, steps, Fraction(x), program)


def _fractions(random: Random) -> Draft:
    first = Fraction(random.randint(1, 9), random.randint(2, 10))
    second = Fraction(random.randint(1, 9), random.randint(2, 10))
    common = first.denominator * second.denominator // gcd(first.denominator, second.denominator)
    left, right = (int(f * common) for f in (first, second))
    question = f"Compute ${latex(first)} + {latex(second)}$ in lowest terms."
    total = f"\\frac{{{left} + {right}}}{{{common}}} = \\frac{{{left + right}}}{{{common}}}"
    program = f"from fractions import Fraction\nprint(Fraction({left + right}, {common}))"
    key = "fr {} {}".format(*sorted((first, second)))
    return _boxed(key, question, [f"The sum is ${total}$."], first + second, program)


def _remainder(random: Random) -> Draft:
    number, divisor = random.randint(20, 199), random.randint(3, 13)
    quotient, rest = divmod(number, divisor)
    question = random.choice(
        (
            f"What is the remainder of ${number}$ divided by ${divisor}$?",
            f"Find ${number} \\bmod {divisor}$.",
        )
    )
    steps = [
        f"${divisor} \\cdot {quotient} = {divisor * quotient}$.",
        f"${number} - {divisor * quotient} = {rest}$.",
    ]
    return _boxed(
        f"mod {number} {divisor}", question, steps, Fraction(rest), f"print({number} % {divisor})"
    )


# Each run of 10 words, here and in every family, holds all numbers of the problem; two problems
# with other numbers share none, and decontamination hits copies, not the template.
_LAWS = (
    ("A force of ${a}$ N over ${b}$ m: find the work $W$.", "W = F s"),
    ("Driving ${a}$ m/s for ${b}$ s: find the distance $d$.", "d = v t"),
    ("With ${a}$ A through ${b}$ ohm, find $V$.", "V = I R"),
    ("Force $F$ on ${a}$ kg at ${b}$ m/s$^2$?", "F = m a"),
    ("Mass $m$ of ${b}$ m$^3$ at ${a}$ kg/m$^3$?", "m = \\rho V"),
    ("A lamp of ${a}$ W for ${b}$ s: find the energy $E$.", "E = P t"),
)


def quantities(random: Random, slip: bool = False) -> Draft:
    """One physical quantity from two others by a law."""
    law, (a, b) = random.randrange(len(_LAWS)), (random.randint(2, 40), random.randint(2, 20))
    text, formula = _LAWS[law]
    question = text.replace("{a}", str(a)).replace("{b}", str(b))
    step = f"${formula} = {a} \\cdot {b} = {a * b}$."
    return _boxed(f"{law} {a} {b}", question, [step], Fraction(a * b), f"print({a} * {b})")


def _choice(
    random: Random, key: str, question: str, steps: list[str], value: int, program: str, zh: bool
) -> Draft:
    wrong: list[int] = []
    while len(wrong) < 3:
        other = value + random.choice((-10, -3, -2, -1, 1, 2, 3, 10))
        if other not in wrong and other != value:
            wrong.append(other)
    choices = [value, *wrong]
    random.shuffle(choices)
    letter = _LETTERS[choices.index(value)]
    ending = f"答案是 {letter}。" if zh else f"The answer is {letter}."
    start = "import math\n" if "math." in program else ""
    table = ", ".join(f"{c}: '{name}'" for c, name in zip(choices, _LETTERS, strict=True))
    return Draft(
        key,
        question,
        steps,
        letter,
        ending,
        f"{start}value = {program}\nprint({{{table}}}[value])",
        letter,
        len(steps),
        [str(choice) for choice in choices],
    )


def equation_choice(random: Random, slip: bool = False) -> Draft:
    """Let ax + b = c; find kx. Four choices."""
    a, x, b = random.randint(2, 9), random.randint(1, 15), random.randint(1, 30)
    k = random.choice([factor for factor in range(2, 7) if factor != a])
    c = a * x + b
    steps = [f"$x = ({c} - {b}) / {a} = {x}$.", f"${k} \\cdot {x} = {k * x}$."]
    question = f"Let ${a}x + {b} = {c}$. Find ${k}x$."
    program = f"({c} - {b}) // {a} * {k}"
    return _choice(random, f"{a} {b} {c} {k}", question, steps, k * x, program, zh=False)


def stem_choice(random: Random, slip: bool = False) -> Draft:
    """Greatest common divisor, binary numbers, or the sum of an arithmetic sequence."""
    kind = random.choice(("gcd", "binary", "sum"))
    if kind == "gcd":
        d, p, q = random.randint(2, 12), random.randint(2, 9), random.randint(2, 9)
        a, b = d * p, d * q
        value, question = gcd(a, b), f"What is the greatest common divisor of ${a}$ and ${b}$?"
        steps = [f"${a} = {value} \\cdot {a // value}$ and ${b} = {value} \\cdot {b // value}$."]
        program, key = f"math.gcd({a}, {b})", f"gcd {min(a, b)} {max(a, b)}"
    elif kind == "binary":
        value = random.randint(5, 63)
        bits = f"{value:b}"
        question = f"Which decimal number is ${bits}_2$?"
        powers = [2 ** (len(bits) - 1 - k) for k, bit in enumerate(bits) if bit == "1"]
        steps = [f"${' + '.join(map(str, powers))} = {value}$."]
        program, key = f"int('{bits}', 2)", f"bin {value}"
    else:
        first, gap, terms = random.randint(1, 20), random.randint(1, 9), random.randint(3, 8)
        last = first + gap * (terms - 1)
        value = terms * (first + last) // 2
        question = f"What is ${first} + {first + gap} + \\dots + {last}$ ({terms} terms)?"
        steps = [f"${terms} \\cdot ({first} + {last}) / 2 = {value}$."]
        program, key = f"{terms} * ({first} + {last}) // 2", f"sum {first} {gap} {terms}"
    return _choice(random, key, question, steps, value, program, zh=False)


def cloze_zh(random: Random, slip: bool = False) -> Draft:
    """A value of a linear function, or a term of an arithmetic sequence, in Chinese."""
    a, b, n = random.randint(2, 15), random.randint(1, 40), random.randint(3, 20)
    if random.random() < 0.5:
        value = a * n + b
        question = f"设 $f(x) = {a}x + {b}$，$f({n}) =$ ____。"
        steps = [f"$f({n}) = {a} \\cdot {n} + {b} = {value}$。"]
        return _boxed(
            f"f {a} {b} {n}", question, steps, Fraction(value), f"print({a} * {n} + {b})", True
        )
    value = b + a * (n - 1)
    question = f"数列公差 ${a}$，首项 ${b}$，第 ${n}$ 项 ____。"
    steps = [f"$a_{{{n}}} = {b} + {a} \\cdot {n - 1} = {value}$。"]
    program = f"print({b} + {a} * {n - 1})"
    return _boxed(f"a {a} {b} {n}", question, steps, Fraction(value), program, True)


def choice_zh(random: Random, slip: bool = False) -> Draft:
    """The area of a rectangle or a square minus a number, in Chinese, four choices."""
    a, b = random.randint(3, 30), random.randint(2, 25)
    if random.random() < 0.5:
        question = f"长方形的长为 ${a + b}$，宽为 ${b}$，面积是（　　）"
        value, step, program = (
            (a + b) * b,
            f"${a + b} \\cdot {b} = {(a + b) * b}$。",
            f"{a + b} * {b}",
        )
        key = f"area {a} {b}"
    else:
        value = a * a - b
        question = f"若 $x = {a}$，则 $x^2 - {b}$ 等于（　　）"
        step, program, key = (
            f"${a}^2 - {b} = {a * a} - {b} = {value}$。",
            f"{a} ** 2 - {b}",
            f"sq {a} {b}",
        )
    return _choice(random, key, question, [step], value, program, zh=True)
