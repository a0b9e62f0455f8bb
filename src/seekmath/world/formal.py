"""Theorems of Coq with their proofs, the formal family of the embedded world (mini-minif2f).

A theorem is of one of eight shapes and holds numbers. Its proof names numbers that stand nowhere
in the statement (a witness, a quotient, the step of an induction), so whoever writes it must work
them out. The informal proof says how, and leaves the sums to do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Literal

from seekmath.core.seeds import python_random
from seekmath.world.problems import Split, split_of

#: The benchmark's name.
MINI_MINIF2F = "mini-minif2f"
_NAME = "claim"
_HEADERS = {
    "Z": "Require Import ZArith.\nOpen Scope Z_scope.\n",
    "nat": "Require Import Arith.\n",
    "R": "Require Import Reals.\nOpen Scope R_scope.\n",
}


@dataclass(frozen=True)
class Theorem:
    """One theorem.

    Attributes:
        numbers: those in the statement, which decide train or test.
        informal: the statement in words.
        sketch: the informal proof.
        over: the numbers that it speaks of: whole, natural or real.
        claim: the formal statement after the theorem's name: what it binds, and what it says.
        proof: sentences of Coq.
    """

    numbers: tuple[int, ...]
    informal: str
    sketch: str
    over: Literal["Z", "nat", "R"]
    claim: str
    proof: tuple[str, ...]


def theorem(shape: str, split: Split, seed: int, index: int) -> Theorem:
    """Theorem ``index`` of a shape, from the wanted split; a function of its arguments."""
    for attempt in count():
        made = SHAPES[shape](python_random(seed, "theorem", shape, split, index, attempt))
        if split_of(f"formal {shape}", str(made.numbers)) == split:
            return made
    raise AssertionError("unreachable")


def formal_problems(size: int, seed: int) -> Iterator[dict[str, Any]]:
    """``size`` theorems of the training split, the shapes in turn, as rows with their proofs."""
    for index in range(size):
        shape = _shape(index)
        yield _row(theorem(shape, "train", seed, index), shape, f"formal/{index}", "train")


def formal_benchmark(size: int, seed: int) -> list[dict[str, Any]]:
    """``size`` theorems of the test split, no two the same; fewer where there are no more."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for index in range(40 * size):
        shape = _shape(index)
        made = theorem(shape, "test", seed, index)
        found.setdefault(
            (shape, made.numbers), _row(made, shape, f"{MINI_MINIF2F}/{index}", "test")
        )
        if len(found) == size:
            break
    return list(found.values())


def _shape(index: int) -> str:
    return list(SHAPES)[index % len(SHAPES)]


def _row(made: Theorem, shape: str, name: str, split: Split) -> dict[str, Any]:
    """In the form of Coq's miniF2F, with informal sides and the proof."""
    binds = "" if made.claim.startswith(":") else " "
    return {
        "name": name,
        "split": split,
        "kind": "proof",
        "subject": shape,
        "header": _HEADERS[made.over],
        "statement": f"Theorem {_NAME}{binds}{made.claim}.",
        "informal_statement": made.informal,
        "informal_proof": made.sketch,
        "formal_proof": "\n".join(made.proof),
    }


def _solution(random: Random) -> Theorem:
    a, x, b = random.randint(2, 9), random.randint(2, 9), random.randint(1, 9)
    c = a * x + b
    return Theorem(
        (a, b, c),
        f"Some integer x has {a}x + {b} = {c}.",
        f"Subtract {b}, then divide by {a}.",
        "Z",
        f": exists x : Z, {a} * x + {b} = {c}",
        (f"assert (h : {c} - {b} = {a} * {x}) by reflexivity.", f"exists {x}.", "reflexivity."),
    )


def _implication(random: Random) -> Theorem:
    a, x, b = random.randint(2, 9), random.randint(2, 9), random.randint(1, 9)
    c, k = a * x + b, random.randint(2, 9)
    return Theorem(
        (a, b, c, k),
        f"If {a}x + {b} = {c} then {k}x = {k * x}.",
        "Solve for x and put it in.",
        "Z",
        f"(x : Z) : {a} * x + {b} = {c} -> {k} * x = {k * x}",
        (
            "intros h.",
            f"assert (h1 : {a} * x = {a * x}) by lia.",
            f"assert (h2 : x = {x}) by lia.",
            "rewrite h2.",
            "reflexivity.",
        ),
    )


def _divides(random: Random) -> Theorem:
    d, times, more = (random.randint(2, 9) for _ in range(3))
    return Theorem(
        (d, times, more),
        f"{d} divides {d * times}k + {d * more}.",
        f"Divide by {d}.",
        "Z",
        f"(k : Z) : ({d} | {d * times} * k + {d * more})",
        (f"exists ({times} * k + {more}).", "ring."),
    )


def _between(random: Random) -> Theorem:
    d, q = random.randint(2, 9), random.randint(2, 9)
    number = d * q + random.randint(1, d - 1)
    return Theorem(
        (d, number),
        f"{number} lies between two multiples of {d}.",
        f"Divide by {d}.",
        "Z",
        f": exists k, {d} * k < {number} < {d} * (k + 1)",
        (f"exists {q}.", "split; reflexivity."),
    )


def _multiple(random: Random) -> Theorem:
    divisor, times = random.randint(2, 9), random.randint(2, 9)
    given = random.choice([d for d in range(2, 10) if divisor * times % d == 0])
    factor = divisor * times // given
    return Theorem(
        (given, divisor, factor),
        f"If {given} divides n then {divisor} divides {factor}n.",
        f"Write n as {given}k.",
        "Z",
        f"(n : Z) : ({given} | n) -> ({divisor} | {factor} * n)",
        (
            "intros [k h].",
            f"exists ({times} * k).",
            "rewrite h.",
            "ring.",
        ),
    )


def _remainder(random: Random) -> Theorem:
    small, times = random.randint(2, 9), random.randint(2, 9)
    large = small * times
    rest = random.randint(small, large - 1)
    return Theorem(
        (large, rest, small),
        f"If n leaves {rest} by {large} then {rest % small} by {small}.",
        f"Divide by {small}.",
        "Z",
        f"(n : Z) : (exists k, n = {large} * k + {rest}) ->"
        f" exists k, n = {small} * k + {rest % small}",
        ("intros [k h].", f"exists ({times} * k + {rest // small}).", "rewrite h.", "ring."),
    )


def _steps(random: Random) -> Theorem:
    divisor, times = random.randint(2, 9), random.randint(1, 6)
    quotient, rest = random.randint(1, 9), random.randint(1, divisor - 1)
    first, step = divisor * quotient + rest, divisor * times
    return Theorem(
        (first, step, divisor),
        f"Steps of {step} from {first} leave {rest} by {divisor}.",
        "By induction.",
        "nat",
        f"(n : nat) : exists k, Nat.iter n (Nat.add {step}) {first} = {divisor} * k + {rest}",
        (
            "induction n as [|n [k h]].",
            f"- exists {quotient}. reflexivity.",
            f"- exists (k + {times}). simpl in *. lia.",
        ),
    )


def _square(random: Random) -> Theorem:
    a, more = random.randint(1, 12), random.randint(0, 20)
    return Theorem(
        (a, more),
        f"{2 * a}x <= x^2 + {a * a + more} for real x.",
        "Complete the square.",
        "R",
        f"(x : R) : {2 * a} * x <= x * x + {a * a + more}",
        (f"assert (h : 0 <= (x - {a}) * (x - {a})) by apply Rle_0_sqr.", "lra."),
    )


#: Shape → what draws a theorem of it.
SHAPES: dict[str, Callable[[Random], Theorem]] = {
    "solution": _solution,
    "implication": _implication,
    "divides": _divides,
    "between": _between,
    "multiple": _multiple,
    "remainder": _remainder,
    "steps": _steps,
    "square": _square,
}
