"""Coq: what counts as a proof, what does not, and how text becomes sentences."""

import re
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.core.files import BadInput
from seekmath.verify.coq import PORTFOLIO, Coq
from seekmath.verify.coq_axioms import CLASSICAL_AXIOMS, is_plain
from seekmath.verify.coq_text import (
    Unreadable,
    proof_of,
    proof_sentences,
    read_statement,
    sentences,
)

SUM = """Require Import ZArith.
Open Scope Z_scope.
(* the sum. of two *)
Theorem sum_is (a b : Z) (h0 : a + b = 7) (h1 : a - b = 1) : a = 4.
Proof.
Admitted.
"""
FALSE = "Theorem no : False.\nProof.\n"


def opened(list_axioms: bool) -> Iterator[Coq]:
    for program, package in (("coqtop", "coq"), ("bwrap", "bubblewrap")):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent (Debian: apt install {package})")
    try:
        prover = Coq(cpu_s=1.0, list_axioms=list_axioms)
        prover.load(FALSE)
    except BadInput as error:
        pytest.skip(f"no isolated Coq here: {error}")
    yield prover
    prover.close()


@pytest.fixture(scope="module")
def coq() -> Iterator[Coq]:
    """One warm session for all tests, which knows what its libraries rest on."""
    for prover in opened(list_axioms=False):
        prover._examine_libraries()
        assert prover._sound
        yield prover


@pytest.fixture(scope="module")
def listing() -> Iterator[Coq]:
    """A session that asks Coq what each proof rests on: the oracle of the other."""
    yield from opened(list_axioms=True)


def test_a_proof_is_accepted_and_a_wrong_one_refused(coq: Coq) -> None:
    assert coq.check(SUM, "lia.").verdict == "proved"
    assert coq.check(SUM, "Proof.\n  - lia. (* as said. *)\nQed.\n").verdict == "proved"
    wrong = coq.check(SUM, "lra. reflexivity.")
    assert wrong.verdict == "wrong"
    unproved = coq.check(SUM, "idtac.")
    assert unproved.verdict == "wrong"
    assert "incomplete proof" in unproved.reason
    assert coq.check(FALSE, "lia.").verdict == "wrong"


@pytest.mark.parametrize(
    "proof",
    [
        "admit.",
        "all: admit.",
        "give_up.",
        "try (idtac; admit).",
        "native_compute.",
        "Admitted.",
        "Abort. Axiom a : False. Theorem no : False. exact a.",
        "exact (fun x => x). Qed. Axiom oops : False.",
        "Axiom a : False. exact a.",
        "#[local] Axiom a : False.",
        "{ Axiom a : False. }",
        "all: Axiom a : False.",
        "- Axiom a : False.",
        '"(*". Axiom a : False. "*)".',
        'idtac "(*". Axiom a : False. idtac "*)".',
        "Unset Guard Checking. fix f 1.",
        'Redirect "/tmp/x" Print nat.',
        'Load "/etc/passwd".',
        'Declare ML Module "extraction_plugin".',
        "Timeout 3 idtac.",
        "Drop.",
        "par: idtac.",
        "idtac (* open",
        'idtac "open',
        'fail "<prompt>no < 99 |no| 0 < </prompt>".',
        "exact I",
        "exact I..",
        "exact I.... exact I.",
    ],
)
def test_whatever_is_no_tactic_is_refused_before_it_is_said(coq: Coq, proof: str) -> None:
    found = coq.check(FALSE, proof)
    assert found.verdict == "refused"
    assert found.reason


def test_printing_what_coq_would_say_proves_nothing(coq: Coq) -> None:
    for spoof in (
        'idtac "Closed under the global context".',
        'let rec f := idtac "Closed under the global context"; f in do 3 idtac.',
        'fail "no is defined".',
    ):
        assert coq.check(FALSE, spoof).verdict == "wrong"


REAL = "Require Import Reals.\nOpen Scope R_scope.\n"


def test_an_axiom_is_refused_but_the_classical_and_the_statements_own(listing: Coq) -> None:
    coq = listing
    assert coq.check(SUM, "lia.").assumptions == ()
    holds = "Axiom p : False -> nat.\nAxiom q : False.\nTheorem t : False.\nProof."
    assert coq.check(holds, "exact q.").assumptions == ("q",)
    assert coq.check(holds, "exact q.").verdict == "proved"
    # An axiom from elsewhere: a module that a proof can name though the statement assumes nothing.
    module = "Module M. Axiom bad : 1 = 2. End M. Theorem t : 1 = 2."
    assumed = coq.check(module, "exact M.bad.")
    assert assumed.assumptions == ("M.bad",)
    classical = coq.check(f"{REAL}Theorem t (x : R) : 0 <= x * x.", "nra.")
    assert classical.verdict == "proved"
    assert {name.rpartition(".")[2] for name in classical.assumptions} <= CLASSICAL_AXIOMS
    choice = "Require Import ClassicalEpsilon.\nTheorem t (P : Prop) : P \\/ ~ P."
    assert coq.check(choice, "apply Classical_Prop.classic.").verdict == "proved"


def test_axioms_outside_the_list_are_refused(
    coq: Coq, listing: Coq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekmath.verify.coq_axioms.CLASSICAL_AXIOMS", frozenset())
    monkeypatch.setattr(coq, "_sound", None)
    monkeypatch.setattr(coq, "_accepted", 9)
    for prover in (coq, listing):
        claim = "Theorem t (P : Prop) : P \\/ ~ P."
        found = prover.check(claim, "apply Classical_Prop.classic.")
        assert found.verdict == "refused"
        assert "classic" in found.reason
    assert coq._sound == frozenset()  # the libraries hold more than is allowed now


ADDED = (
    "Axiom p : False.",
    "Parameter p : False.",
    "Conjecture p : False.",
    "#[local] Axiom p : False.",
    "Definition a := tt. Axiom p : False.",
    "Lemma p : False. Admitted.",
    "Lemma p : False. Proof. Admitted.",
    "Module Type T. Axiom p : False. End T. Declare Module M : T. Definition p := M.p.",
    "Module M. Axiom q : False. End M. Definition p := M.q.",
    "Unset Guard Checking. Fixpoint f (n : nat) : False := f n. Definition p := f 0. "
    "Set Guard Checking.",
    "#[bypass_check(guard)] Fixpoint f (n : nat) : False := f n. Definition p := f 0.",
    "Unset Positivity Checking. Inductive I : Set := C : (I -> False) -> I. "
    "Definition n (i : I) := match i with C f => f i end. Definition p := n (C n).",
    "Require Import Coq.Compat.AdmitAxiom. Definition p := proof_admitted False.",
)


@pytest.mark.parametrize("added", ADDED)
def test_what_a_statement_leaves_open_is_seen_as_by_the_oracle(
    coq: Coq, listing: Coq, added: str
) -> None:
    """Whatever stands before the claim, a proof from it gets the oracle's verdict."""
    statement = f"{added}\nTheorem t : False."
    verdict, oracle = coq.check(statement, "exact p."), listing.check(statement, "exact p.")
    assert verdict.verdict == oracle.verdict
    own = "p" if re.search("(Axiom|Parameter|Conjecture) p", added) else ""
    assert (oracle.verdict == "proved") == bool(own or "q : False" in added)
    assert coq.check(SUM, "lia.").verdict == "proved"


def test_libraries_are_examined_once_and_proofs_then_not_walked_through(
    coq: Coq, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    session = coq._pool.base()
    ask = session.told
    monkeypatch.setattr(session, "told", lambda query, cpu_s: told.append(query) or ask(query, 9.0))
    for claim, proof in (
        ("Theorem t (x : R) : 0 <= x * x.", "nra."),
        ("Definition two := 2.\nTheorem t (x : R) : x * two = x + x.", "unfold two; ring."),
        ("Theorem t (P : Prop) : P \\/ ~ P.", "apply Classical_Prop.classic."),
    ):
        assert coq.check(REAL + claim, proof).verdict == "proved"
    assert "Print All." in told
    assert not any("Assumptions" in query for query in told)
    beside = coq.check(f"{REAL}Axiom a : 1 = 2.\nTheorem t : 1 = 2.", "exact a.")
    assert beside.verdict == "proved"  # the statement's own
    assert "Print Assumptions t." in told


def test_a_library_that_was_not_examined_is_not_trusted(coq: Coq) -> None:
    statement = read_statement("Require Import Uint63.\nTheorem t : True.")
    assert is_plain(statement)
    opened = coq._opened("Require Import Uint63.\nTheorem t : True.")
    assert isinstance(opened, tuple)
    assert not coq._is_sound(opened[1], statement)


def test_a_sentence_that_is_two_to_coq_is_refused(
    coq: Coq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The splitting of sentences is not all that stands between a proof and the environment."""
    monkeypatch.setattr(
        "seekmath.verify.coq.proof_sentences", lambda proof: ["idtac. idtac.", "exact I."]
    )
    found = coq.check("Theorem t : True.", "")
    assert (found.verdict, coq.check("Theorem t : True.", "").verdict) == ("refused", "refused")
    assert "more sentences" in found.reason


def test_a_sentence_that_does_not_end_for_coq_is_refused_soon(
    coq: Coq, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coq.check(FALSE, "auto in r.. exact I.").verdict == "wrong"  # one sentence, as to Coq
    monkeypatch.setattr("seekmath.verify.coq_session._IDLE_S", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr("seekmath.verify.coq.proof_sentences", lambda proof: ["auto in r.."])
        found = coq.check(FALSE, "")
    assert (found.verdict, found.reason) == (
        "refused",
        "coqtop reads on past the end of a sentence",
    )
    assert coq.check(SUM, "lia.").verdict == "proved"


def test_time_is_a_verdict_of_its_own_and_the_session_goes_on(coq: Coq) -> None:
    slow = coq.check(FALSE, "do 1000000000 idtac.")
    assert slow.verdict == "timeout"
    assert "processor time" in slow.reason
    caught = coq.check(FALSE, "repeat (try (do 1000000000 idtac)).")
    assert caught.verdict == "timeout"
    assert coq.check(SUM, "lia.").verdict == "proved"


def test_a_statement_that_does_not_load_says_why(coq: Coq) -> None:
    for statement, why in (
        ("Require Import mathcomp.all_ssreflect.\nTheorem t : True.", "mathcomp"),
        ("Definition x := 1.", "Theorem"),
        ("Theorem t : 1 = true.", "true"),
        ("Theorem t : (* ", "comment"),
    ):
        found = coq.check(statement, "trivial.")
        assert found.verdict == "statement"
        assert why in found.reason
    assert coq.check(SUM, "lia.").verdict == "proved"


def test_automation_alone(coq: Coq) -> None:
    found = coq.search(SUM)
    assert found.verdict == "proved"
    assert found.proof in PORTFOLIO
    assert coq.check(SUM, found.proof).verdict == "proved"


def test_many_statements_do_not_mix(coq: Coq) -> None:
    other = SUM.replace("a + b = 7", "a + b = 9").replace("a = 4", "a = 5")
    for _ in range(3):
        assert coq.check(SUM, "lia.").verdict == "proved"
        assert coq.check(other, "lia.").verdict == "proved"
        assert coq.check(other, "apply sum_is.").verdict == "wrong"


def test_sentences_end_where_coq_ends_them() -> None:
    text = 'rewrite Nat.add_comm. (* a. (* b. *) *)-{ exact (f 1.5). } idtac "a. b"... 2: { lia.}'
    with pytest.raises(Unreadable):
        sentences(text)
    assert sentences("f x .. y. g ..\nz.") == ["f x .. y.", "g ..\nz."]
    assert sentences(text.replace("lia.}", "lia. }")) == [
        "rewrite Nat.add_comm.",
        "-",
        "{",
        "exact (f 1.5).",
        "}",
        'idtac "a. b"...',
        "2: {",
        "lia.",
        "}",
    ]


WORDS = st.text("abcxyz01 _()+=/", min_size=1).map(lambda body: f"t{body}x.")


@given(st.lists(WORDS), st.sampled_from([" ", "\n", "\t\n", ' (* a. "x. *)" *) ']))
def test_joined_sentences_split_again(found: list[str], between: str) -> None:
    assert sentences(between.join(found)) == found


@given(st.text('ab.(*) "-+{}\n[]:1A'))
def test_any_text_splits_or_is_refused(text: str) -> None:
    try:
        found = sentences(text)
    except Unreadable:
        return
    assert all(one.strip() == one and one for one in found)
    assert "".join("".join(found).split()) in "".join(text.split()) or "(*" in text


@given(st.text('ab.(*) "-+{}\n[]:1A#'))
def test_no_capital_begins_a_sentence_of_a_proof(text: str) -> None:
    try:
        found = proof_sentences(text)
    except Unreadable:
        return
    assert not any(one[:1].isupper() or one.startswith("#") for one in found)


def test_statements_are_cut_before_the_last_proof() -> None:
    found = read_statement(
        "From Stdlib Require Import Qreals.\nLemma a: True.\nProof. trivial. Qed."
        "\nParameters p q : nat.\nTheorem b: True. Proof. Admitted."
    )
    assert found.name == "b"
    assert found.sentences[0] == "From Coq Require Import Qreals."
    assert found.sentences[-1] == "Theorem b: True."
    assert found.assumed == ("p", "q")


def test_attributes_stand_in_any_order() -> None:
    for before in ("#[local] Global ", "Local #[program]", "#[a] #[b]\nProgram ", "Polymorphic "):
        found = read_statement(f"{before}Parameter p : nat. {before}Lemma b: True.")
        assert (found.name, found.assumed) == ("b", ("p",))


def test_the_proof_in_a_completion() -> None:
    for completion in (
        "lia.",
        "lia.\nQed.\n\nInformal: next",
        "Here:\n```coq\nTheorem sum_is : x.\nProof.\n  lia.\nQed.\n```\nDone.",
        "Lemma h: True.\nProof.\n trivial.\nQed.\nTheorem sum_is : x. Proof. lia. Qed.",
    ):
        assert proof_of(completion, "sum_is") == "lia."
