"""Proofs checked by Coq: the harness owns the statement, a model gives what follows ``Proof.``.

One coqtop has loaded every library that statements use and goes back to that state after each
check. A proof counts when Coq takes its ``Qed.`` and ``Print Assumptions`` names nothing but
classical axioms of the standard library and what the statement itself assumes.
"""

import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from typing import Self

from seekmath.verify.coq_session import Answer, CoqSession, Ended
from seekmath.verify.coq_text import (
    Statement,
    Unreadable,
    proof_of,
    proof_sentences,
    read_statement,
)
from seekmath.verify.prover import Checked, Verdict

#: Axioms a proof may rest on: the classical ones of Coq's standard library.
CLASSICAL_AXIOMS = frozenset(
    {
        "functional_extensionality_dep",
        "sig_forall_dec",  # classical real numbers
        "sig_not_dec",
        "completeness",  # as axioms of older versions
        "total_order_T",
        "classic",
        "proof_irrelevance",
        "propositional_extensionality",
        "Extensionality_Ensembles",
        "eq_rect_eq",
        "JMeq_eq",
        "constructive_indefinite_description",
        "constructive_definite_description",
        "dependent_unique_choice",
        "relational_choice",
        "epsilon_statement",
        "iota_statement",
        "excluded_middle_informative",
    }
)
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
)
_OPTIONAL = (
    "Require Coquelicot.Coquelicot.",
    "Require Interval.Tactic.",
    "Require Hammer.Tactics.Tactics.",
)
# Tactics only: said after the claim, so that no statement is read otherwise for them.
_TACTICS = "Import Lia Lra Psatz."

_DESTRUCT = (
    "repeat match goal with H : _ /\\ _ |- _ => destruct H | H : exists _, _ |- _ => destruct H end"
)
#: Automation without a model, as proofs tried in turn; the counterpart of Sledgehammer's list.
PORTFOLIO = (
    "reflexivity.",
    "vm_compute; reflexivity.",
    "intros; lia.",
    "intros; lra.",
    "intros; nra.",
    "intros; nia.",
    "intuition lia.",
    "intuition lra.",
    "intuition nra.",
    "intuition nia.",
    "intros; subst; field.",
    "intros; subst; ring.",
    "intros; subst; simpl in *; lia.",
    "intros; subst; simpl in *; lra.",
    "intros; subst; simpl in *; nra.",
    "intros; subst; vm_compute; intuition discriminate.",
    "intros; repeat split; auto; try lia; try lra; try nra.",
    "intros; decompose record H; subst; nra.",
    "intros; firstorder (subst; auto with arith zarith real; try lia; try lra).",
    f"intros; {_DESTRUCT}; subst; try lia; try lra; try nra; nia.",
    "intros; simpl in *; try lia; try nia; vm_compute; reflexivity.",
    "intros; unfold not; intros; vm_compute in *; intuition (try discriminate; try congruence).",
    "intros; repeat split; intros; "
    "try (field; lra); try (vm_compute; reflexivity); try lra; try nra.",
    "intros; repeat match goal with f : _ -> _, H : forall _, _ |- _ => "
    "rewrite ?H in *; clear H end; try lra; try lia; try nra; nia.",
)


class Coq:
    """Coq, one warm session, started anew when it ends.

    Args:
        cpu_s: processor time of one tactic sentence, seconds.
        memory_mib: memory of coqtop.
        proof_cpu_s: processor time of a whole proof, seconds.
        unsafe: run coqtop without bubblewrap where that is missing.

    Raises:
        BadInput: Coq or bubblewrap is missing.
    """

    title = "Coq"

    def __init__(
        self,
        cpu_s: float = 10.0,
        memory_mib: int = 4096,
        proof_cpu_s: float = 120.0,
        unsafe: bool = False,
    ) -> None:
        self._cpu_s, self._proof_cpu_s = cpu_s, proof_cpu_s
        self._memory_mib, self._unsafe = memory_mib, unsafe
        self._prelude = list(_PRELUDE)
        self._libraries = ""
        self._session: CoqSession | None = None
        self._said: list[tuple[str, int]] = []  # since the base, each with the state after it
        self._ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End coqtop."""
        if self._session:
            self._session.close()
        self._session = None
        self._said = []

    def describe(self) -> str:
        """Version, libraries and isolation."""
        told = subprocess.run(["coqtop", "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"version (\S+)", told.stdout)
        guarded = "bubblewrap" if shutil.which("bwrap") else "not isolated"
        return f"Coq {version.group(1) if version else '?'}{self._libraries}, {guarded}"

    def load(self, statement: str) -> Checked | None:
        """None where the statement loads, else why it does not."""
        opened = self._opened(statement)
        return opened if isinstance(opened, Checked) else None

    def check(self, statement: str, proof: str) -> Checked:
        """Whether ``proof`` proves ``statement``."""
        try:
            lines = proof_sentences(proof)
        except Unreadable as error:
            return Checked("refused", str(error))
        opened = self._opened(statement)
        return opened if isinstance(opened, Checked) else self._attempt(opened, lines)

    def search(self, statement: str) -> Checked:
        """Try the portfolio; ``proof`` is the first that Coq accepts."""
        if failed := self.load(statement):
            return failed
        spent = 0.0
        for proof in PORTFOLIO:
            done = self.check(statement, proof)
            spent += done.cpu_s
            if done.verdict == "proved":
                return Checked("proved", "", done.assumptions, spent, proof)
        return Checked("wrong", "no tactic of the portfolio proves it", (), spent)

    def extract(self, statement: str, completion: str) -> str:
        """The proof in a model's completion."""
        try:
            return proof_of(completion, read_statement(statement).name)
        except Unreadable:
            return proof_of(completion)

    def _opened(self, source: str) -> Statement | Checked:
        try:
            return self._open(source)
        except Unreadable as error:
            return Checked("statement", str(error))
        except Ended as ended:
            self.close()
            return Checked("statement", str(ended))

    def _ready(self) -> CoqSession:
        if self._session is None:
            session = CoqSession(self._prelude, self._memory_mib, self._unsafe)
            for require in _OPTIONAL:
                if session.say(require, 60.0).error is None:
                    name = require.split()[1].partition(".")[0]
                    if name not in self._libraries:
                        self._libraries += f" with {name}" if not self._libraries else f", {name}"
            session.base = session.state
            self._session = session
        return self._session

    def _open(self, source: str) -> Statement:
        """Say the statement, from the last sentence on that the session has in common with it."""
        statement = read_statement(source)
        session = self._ready()
        wanted = [*statement.sentences, _TACTICS, "Proof."]
        common = 0
        while (
            common < min(len(self._said), len(wanted)) and self._said[common][0] == wanted[common]
        ):
            common += 1
        del self._said[common:]
        state = self._said[-1][1] if self._said else session.base
        if session.state != state:
            session.back_to(state)
        for sentence in wanted[common:]:
            answer = session.say(sentence, self._proof_cpu_s)
            if answer.error is not None:
                raise Unreadable(answer.error)
            self._said.append((sentence, answer.state))
        return statement

    def _attempt(self, statement: Statement, lines: Sequence[str]) -> Checked:
        """Try a proof of the statement last told; the session ends where it began."""
        session = self._ready()
        state = session.state
        began = session.cpu_s()
        try:
            done = self._say(session, statement, [*lines, "Qed."], began)
            cpu_s = session.cpu_s() - began
            session.back_to(state)
        except Ended as ended:
            self.close()
            verdict: Verdict = "unrun"
            if ended.why in ("timeout", "memory"):
                verdict = "timeout" if ended.why == "timeout" else "memory"
            return Checked(verdict, str(ended), cpu_s=self._cpu_s)
        return Checked(done.verdict, done.reason, done.assumptions, round(cpu_s, 3))

    def _say(
        self, session: CoqSession, statement: Statement, lines: Sequence[str], began: float
    ) -> Checked:
        for number, line in enumerate(lines, 1):
            left = self._proof_cpu_s - (session.cpu_s() - began)
            answer = session.say(line, min(self._cpu_s, max(left, 0.1)))
            if answer.error is not None:
                return _failed(answer, number, line, self._cpu_s)
        mark = f"n{secrets.token_hex(8)}"
        printed = session.said_after(f"Print Assumptions {statement.name}.", mark, self._cpu_s)
        return _judged(printed, statement)


def _failed(answer: Answer, number: int, line: str, cpu_s: float) -> Checked:
    shown = line if len(line) <= 60 else line[:60] + " …"
    if answer.interrupted:
        return Checked("timeout", f"sentence {number}, {shown}: over {cpu_s:g} s of processor time")
    error = answer.error or ""
    if "Out of memory" in error or "Stack overflow" in error:
        return Checked("memory", f"sentence {number}, {shown}: {error}")
    return Checked("wrong", f"sentence {number}, {shown}: {error}")


def _judged(printed: str, statement: Statement) -> Checked:
    """The verdict on a proof that Coq took, from what ``Print Assumptions`` said."""
    if printed.startswith("Closed under the global context"):
        return Checked("proved")
    head, _, listed = printed.partition("Axioms:")
    if head.strip() or not listed.strip():
        return Checked("unrun", f"Print Assumptions said: {printed[:200]}")
    names = re.findall(r"^(\S+)(?= |$)", listed, re.MULTILINE)
    taken = tuple(name for name in names if name and not name.startswith(":"))
    others = [name for name in taken if not _is_allowed(name, statement)]
    if others or not taken:
        return Checked("refused", f"rests on axioms: {', '.join(others)}", taken)
    return Checked("proved", assumptions=taken)


def _is_allowed(name: str, statement: Statement) -> bool:
    last = name.rpartition(".")[2]
    return last in CLASSICAL_AXIOMS or last in statement.assumed
