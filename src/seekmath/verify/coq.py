"""Proofs checked by Coq: the harness owns the statement, a model gives what follows ``Proof.``.

A coqtop has loaded every library that statements use and goes back to that state after each
check; where statements come in any order, a few of them wait at different imports (``coq_pool``).
A proof counts when Coq takes its ``Qed.`` and it rests on nothing but classical axioms of the
standard library and what the statement itself assumes (``coq_axioms``).
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

from seekmath.verify.coq_axioms import (
    assumed_of,
    is_classical,
    is_plain,
    libraries_of,
    naming,
    requires,
    undefined_in,
)
from seekmath.verify.coq_pool import CoqPool
from seekmath.verify.coq_session import Answer, CoqSession, Ended, check_installed
from seekmath.verify.coq_tactics import PORTFOLIO
from seekmath.verify.coq_text import (
    Statement,
    Unreadable,
    proof_of,
    proof_sentences,
    read_statement,
)
from seekmath.verify.prover import Checked

# Loaded, not imported: a statement sees only what it requires itself.
_PRELUDE = (
    "Set Silent.",
    'Set Warnings "-all".',
    "Require Reals Ranalysis Rpower Rtrigo_calc R_sqrt Qreals Lra Lia Psatz.",
    "Require ZArith Znumtheory Zpow_facts NArith PArith QArith Qround Arith Factorial EqNat.",
    "Require List ListSet SetoidList Bool FSets FSetFacts FSetProperties.",
    "Require Ensembles Finite_sets Finite_sets_facts Image.",
    "Require Classical Classical_Pred_Type ClassicalEpsilon ClassicalDescription.",
    "Require FunctionalExtensionality Coq.Numbers.Natural.Abstract.NDiv.",
    "Require Nsatz Coq.Program.Tactics.",
)
_HAMMER = "Require Hammer.Tactics.Tactics."
_OPTIONAL = ("Require Coquelicot.Coquelicot.", _HAMMER)
_CONTRIBUTED = ("Coquelicot", "Interval", "Hammer")
# Tactics only: said after the claim, so that no statement is read otherwise for them.
_TACTICS = "Import Lia Lra Psatz."
_HAMMER_TACTICS = "Import Hammer.Tactics.Tactics."
#: Processor time of each proof of the portfolio, seconds: the same wherever automation is a row.
AUTOMATION_CPU_S = 1.0
_ASK_CPU_S = 60.0
# So many accepted proofs are asked about one by one before the libraries as a whole are.
_SINGLY = 3


class Coq:
    """Coq, in warm sessions, started anew when they end.

    Args:
        cpu_s: processor time of one tactic sentence, seconds.
        memory_mib: memory of coqtop.
        proof_cpu_s: processor time of a whole proof, seconds.
        unsafe: run coqtop without bubblewrap where that is missing.
        list_axioms: name the axioms of each proof (a second or two of processor time for each).
        sessions: coqtops at a time, where statements with different imports take turns.

    coqtop starts with the first statement.

    Raises:
        BadInput: Coq or bubblewrap is missing.
    """

    def __init__(
        self,
        cpu_s: float = 10.0,
        memory_mib: int = 4096,
        proof_cpu_s: float = 120.0,
        unsafe: bool = False,
        list_axioms: bool = False,
        sessions: int = 4,
    ) -> None:
        check_installed(unsafe)
        self._cpu_s, self._proof_cpu_s = cpu_s, proof_cpu_s
        self._memory_mib, self._unsafe = memory_mib, unsafe
        self._list_axioms = list_axioms
        self._pool = CoqPool(self._started, sessions)
        self._tactics = [_TACTICS]
        self._accepted = 0
        self._sound: frozenset[str] | None = None  # libraries that rest on classical axioms alone
        self._sound_requires: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End coqtop."""
        self._pool.close()

    def cpu_s(self) -> float:
        """Processor time of the coqtops that live, seconds."""
        return self._pool.cpu_s()

    def sessions(self) -> int:
        """coqtops that live."""
        return len(self._pool)

    @cached_property
    def title(self) -> str:
        """With the version."""
        return f"Coq {coq_version()}"

    def describe(self) -> str:
        """Version, libraries and isolation."""
        found = ", ".join(coq_libraries())
        guarded = "bubblewrap" if shutil.which("bwrap") else "not isolated"
        return f"{self.title}{found and f' with {found}'}, {guarded}"

    def load(self, statement: str) -> Checked | None:
        """None where the statement loads, else why it does not."""
        opened = self._opened(statement)
        return opened if isinstance(opened, Checked) else None

    def check(self, statement: str, proof: str) -> Checked:
        """Whether ``proof`` proves ``statement``."""
        return self._check(statement, proof, self._cpu_s)

    def search(self, statement: str) -> Checked:
        """Try the portfolio; ``proof`` is the first that Coq accepts."""
        if failed := self.load(statement):
            return failed
        spent = 0.0
        for proof in PORTFOLIO:
            done = self._check(statement, proof, AUTOMATION_CPU_S)
            spent += done.cpu_s
            if done.verdict == "proved":
                return Checked("proved", "", done.assumptions, round(spent, 3), proof)
        reason = "no proof of the portfolio is accepted"
        return Checked("wrong", reason, cpu_s=round(spent, 3))

    def extract(self, statement: str, completion: str) -> str:
        """The proof in a model's completion."""
        try:
            return proof_of(completion, read_statement(statement).name)
        except Unreadable:
            return proof_of(completion)

    def _opened(self, source: str) -> tuple[Statement, CoqSession] | Checked:
        """A session that has said the statement, from what one has in common with it on."""
        try:
            statement = read_statement(source)
            self._pool.start_one()  # which tells what tactics there are
            *head, claim = statement.sentences
            rest = [claim, *self._tactics, "Proof."]
            return statement, self._pool.at(head, rest, self._proof_cpu_s)
        except Unreadable as error:
            return Checked("statement", str(error))
        except Ended as ended:
            return Checked("statement", str(ended))

    def _check(self, source: str, proof: str, cpu_s: float) -> Checked:
        try:
            lines = proof_sentences(proof)
        except Unreadable as error:
            return Checked("refused", str(error))
        if self._accepted >= _SINGLY and self._sound is None and not self._list_axioms:
            self._examine_libraries()
        for _ in range(2):
            opened = self._opened(source)
            if isinstance(opened, Checked):
                return opened
            done = self._attempt(*opened, lines, cpu_s)
            if done.verdict != "unrun":
                return done
        # A prover that dies of a proof twice has not accepted it.
        return Checked("wrong", f"coqtop ends on it: {done.reason}", cpu_s=done.cpu_s)

    def _started(self) -> CoqSession:
        session = CoqSession(_PRELUDE, self._memory_mib, self._unsafe)
        for require in _OPTIONAL:
            there = session.say(require, _ASK_CPU_S).error is None
            if require == _HAMMER and there:
                self._tactics = [_HAMMER_TACTICS, _TACTICS]
        session.base = session.state
        return session

    def _examine_libraries(self) -> None:
        """Learn whether all that is loaded rests on classical axioms alone."""
        self._sound = frozenset()
        session = self._pool.base()
        try:
            loaded = libraries_of(session.told("Print Libraries.", _ASK_CPU_S))
            undefined = undefined_in(_roots(loaded))
            if undefined is None or session.say(naming(undefined, "undefined"), _ASK_CPU_S).error:
                return
            rests_on = assumed_of(session.told("Print Assumptions undefined.", _ASK_CPU_S))
            if rests_on is not None and all(map(is_classical, rests_on)):
                self._sound = loaded
            session.back_to(session.base)
        except Ended:
            self._pool.drop(session)

    def _is_sound(self, session: CoqSession, statement: Statement) -> bool:
        """Whether nothing that a proof can use rests on more than classical axioms."""
        if not self._sound or not is_plain(statement):
            return False
        wanted = set(requires(statement)) - self._sound_requires
        if wanted:
            loaded = libraries_of(session.told("Print Libraries.", _ASK_CPU_S))
            if not loaded or not loaded <= self._sound:
                return False
            self._sound_requires |= wanted
        return "*** [" not in session.told("Print All.", _ASK_CPU_S)  # as axioms are shown

    def _attempt(
        self, statement: Statement, session: CoqSession, lines: Sequence[str], cpu_s: float
    ) -> Checked:
        """Try a proof of the statement last told; the session ends where it began."""
        state = session.state
        began = session.cpu_s()
        try:
            done = self._say(session, statement, [*lines, "Qed."], cpu_s)
            spent = session.cpu_s() - began
            session.back_to(state)
        except Ended as ended:
            self._pool.drop(session)
            return Checked(ended.why, str(ended), cpu_s=cpu_s)
        return Checked(done.verdict, done.reason, done.assumptions, round(spent, 3))

    def _say(
        self, session: CoqSession, statement: Statement, lines: Sequence[str], cpu_s: float
    ) -> Checked:
        began = session.cpu_s()
        for number, line in enumerate(lines, 1):
            left = self._proof_cpu_s - (session.cpu_s() - began)
            answer = session.say(line, min(cpu_s, max(left, 0.1)))
            if answer.error is not None:
                return _failed(answer, number, line, cpu_s)
        self._accepted += 1
        if not self._list_axioms and self._is_sound(session, statement):
            session.check_count()
            return Checked("proved")
        printed = session.told(f"Print Assumptions {statement.name}.", _ASK_CPU_S)
        session.check_count()
        return self._judged(printed, statement)

    def _judged(self, printed: str, statement: Statement) -> Checked:
        """The verdict on a proof that Coq took, from what ``Print Assumptions`` said."""
        taken = assumed_of(printed)
        if taken is None:
            return Checked("unrun", f"Print Assumptions said: {printed[:200]}")
        allowed = set(statement.assumed)
        others = [
            one for one in taken if not (is_classical(one) or one.rpartition(".")[2] in allowed)
        ]
        if others:
            return Checked("refused", f"rests on axioms: {', '.join(others)}", taken)
        return Checked("proved", assumptions=taken if self._list_axioms else None)


def coq_version() -> str:
    """Of the coqtop on the PATH; "?" if it does not say."""
    told = subprocess.run(["coqtop", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", told.stdout)
    return found.group(1) if found else "?"


def coq_libraries() -> list[str]:
    """Contributed libraries that are installed and that statements or proofs may use."""
    told = subprocess.run(["coqtop", "-where"], capture_output=True, text=True, check=False)
    folder = Path(told.stdout.strip(), "user-contrib")
    return [name for name in _CONTRIBUTED if (folder / name).is_dir()]


def _roots(loaded: frozenset[str]) -> frozenset[str]:
    """Those libraries that the prelude names; they load all the others."""
    named = " ".join(one for one in (*_PRELUDE, *_OPTIONAL) if one.startswith("Require"))
    short = {word.rstrip(".").rpartition(".")[2] for word in named.split()} | {"Prelude"}
    return frozenset(name for name in loaded if name.rpartition(".")[2] in short)


def _failed(answer: Answer, number: int, line: str, cpu_s: float) -> Checked:
    shown = line if len(line) <= 60 else line[:60] + " …"
    if answer.interrupted:
        return Checked("timeout", f"sentence {number}, {shown}: over {cpu_s:g} s of processor time")
    error = answer.error or ""
    if "Out of memory" in error or "Stack overflow" in error:
        return Checked("memory", f"sentence {number}, {shown}: {error}")
    return Checked("wrong", f"sentence {number}, {shown}: {error}")
