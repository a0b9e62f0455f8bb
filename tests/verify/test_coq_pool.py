"""Warm coqtops at different imports: which one a statement is told to changes nothing else."""

import shutil
from collections.abc import Iterator

import pytest

from seekmath.core.files import BadInput
from seekmath.verify.coq_pool import CoqPool
from seekmath.verify.coq_session import CoqSession, Ended
from seekmath.verify.coq_text import Unreadable

LIST = ["Require Import List.", "Import ListNotations."]
ARITH = ["Require Import Arith."]
ON_LISTS = ["Theorem t : [1] ++ [2] = [1; 2].", "Proof."]
ON_NUMBERS = ["Theorem t (a b : nat) : a + b = b + a.", "Proof."]


@pytest.fixture
def pool() -> Iterator[CoqPool]:
    """Up to two sessions without a prelude; the second starts as it pays."""
    for program in ("coqtop", "bwrap"):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent")
    found = CoqPool(lambda: CoqSession(()), most=2)
    try:
        found.start_one()
    except BadInput as error:
        pytest.skip(f"no isolated Coq here: {error}")
    yield found
    found.close()


def proves(session: CoqSession, tactic: str) -> bool:
    return session.say(tactic, 5.0).error is None and session.say("Qed.", 5.0).error is None


def at(pool: CoqPool, head: list[str], rest: list[str]) -> CoqSession:
    return pool.at(head, rest, 10.0)


def test_statements_go_to_the_session_that_stands_at_their_imports(pool: CoqPool) -> None:
    pool._start_s = 0.0
    first = at(pool, LIST, ON_LISTS)
    assert proves(first, "reflexivity.")
    second = at(pool, ARITH, ON_NUMBERS)
    assert second is not first
    for _ in range(2):
        assert at(pool, LIST, ON_LISTS) is first
        assert proves(first, "reflexivity.")
        assert at(pool, ARITH, ON_NUMBERS) is second
        assert proves(second, "apply Nat.add_comm.")
    assert at(pool, [*ARITH, "Require Import Bool."], ON_NUMBERS) in (first, second)  # no third


def test_another_session_is_started_only_when_it_pays(pool: CoqPool) -> None:
    pool._start_s = 1e9
    sessions = {at(pool, *one) for one in ((LIST, ON_LISTS), (ARITH, ON_NUMBERS)) for _ in range(2)}
    assert len(sessions) == 1


def test_what_one_statement_imports_no_other_sees(pool: CoqPool) -> None:
    pool._start_s = 0.0
    at(pool, LIST, ON_LISTS)
    at(pool, ARITH, ON_NUMBERS)
    for _ in range(2):
        with pytest.raises(Unreadable):
            at(pool, [], ON_LISTS)
        with pytest.raises(Unreadable):
            at(pool, ARITH, ON_LISTS)
        assert proves(at(pool, LIST, ON_LISTS), "reflexivity.")


def test_a_session_that_ended_is_replaced_and_the_others_stay(pool: CoqPool) -> None:
    pool._start_s = 0.0
    first, second = at(pool, LIST, ON_LISTS), at(pool, ARITH, ON_NUMBERS)
    first._process.kill()
    first._process.wait()
    with pytest.raises(Ended):
        at(pool, LIST, ["Theorem other : True.", "Proof."])
    assert at(pool, ARITH, ON_NUMBERS) is second
    assert proves(at(pool, LIST, ON_LISTS), "reflexivity.")
