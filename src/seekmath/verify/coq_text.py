"""Coq source as text: its sentences, the statement cut before its proof, what a proof may not say.

The statement is the harness's and the proof a model's, so a proof is read before it is sent: each
of its sentences must be a tactic, a bullet or a brace. Coq writes every command that could change
the statement, add an axiom or touch a file with a capital; tactics begin with a small letter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STEP = re.compile(
    r'(?P<open>\(\*)|(?P<close>\*\))|(?P<string>"(?:[^"]|"")*")|(?P<stop>\.+(?=\s|$))|.', re.DOTALL
)
_PIECE = re.compile(r'\(\*|\*\)|"(?:[^"]|"")*"|"')
_BULLET = re.compile(r"-+|\++|\*+|[{}]")
_SELECTOR = re.compile(
    r"(?:(?:all|!|\d+(?:\s*-\s*\d+)?(?:\s*,\s*\d+(?:\s*-\s*\d+)?)*|\[\s*\w+\s*\])\s*:\s*)+"
)
_TACTIC = re.compile(r"[a-z_(\[]|Unshelve\s*\.$")
_FORBIDDEN = re.compile(
    r"(?<![\w'.])(admit|give_up|native_compute|native_cast_no_check|par\s*:|prompt)(?![\w'])"
)
# In any number and order.
_ATTRIBUTES = r"(?:#\[[^\]]*\]\s*|(?:Local|Global|Program|Polymorphic|Monomorphic)\s+)*"
_CLAIM = re.compile(
    _ATTRIBUTES + r"(?:Theorem|Lemma|Fact|Remark|Corollary|Proposition|Property|Example)\s+([\w']+)"
)
_ASSUMED = re.compile(
    _ATTRIBUTES + r"(?:Axioms?|Parameters?|Conjectures?|Hypothes[ie]s|Variables?)\b(.*)", re.DOTALL
)
_OWN_NAME = re.compile(r"[A-Za-z_][\w']*")
_FENCE = re.compile(r"```(?:coq|rocq|ocaml)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
MAX_PROOF_CHARS = 200_000


class Unreadable(ValueError):
    """Text that Coq would not take as whole sentences, or that a proof may not hold."""


def without_comments(text: str) -> str:
    """``text`` with each comment a blank; strings stay.

    Raises:
        Unreadable: a comment or a string does not end.
    """
    kept: list[str] = []
    depth, start = 0, 0
    for piece in _PIECE.finditer(text):
        mark = piece.group()
        if mark == '"':
            raise Unreadable("a string does not end")
        if mark == "(*":
            if not depth:
                kept.append(text[start : piece.start()])
            depth += 1
        elif mark == "*)" and depth:
            depth -= 1
            if not depth:
                kept.append(" ")
                start = piece.end()
    if depth:
        raise Unreadable("a comment does not end")
    return "".join([*kept, text[start:]])


def sentences(text: str) -> list[str]:
    """The sentences of Coq source, without comments and without space around them.

    A sentence ends at a full stop, or three, before white space or the end; bullets and the braces
    of subproofs are sentences of their own.

    Raises:
        Unreadable: a comment, a string or the last sentence does not end.
    """
    return list(_split(without_comments(text)))


def _split(text: str) -> Iterator[str]:
    place, end = 0, len(text)
    while True:
        while place < end and text[place].isspace():
            place += 1
        if place == end:
            return
        mark = _mark_at(text, place)
        stop = mark or _stop_after(text, place)
        yield text[place:stop]
        place = stop


def _mark_at(text: str, place: int) -> int:
    """Where the bullet or brace at ``place`` ends, a goal selector before it; 0 if none is."""
    selector = _SELECTOR.match(text, place)
    if selector and text.startswith("{", selector.end()):
        return selector.end() + 1
    bullet = _BULLET.match(text, place)
    return bullet.end() if bullet else 0


def _stop_after(text: str, place: int) -> int:
    for step in _STEP.finditer(text, place):
        if step.lastgroup != "stop" or step.group() == "..":  # which is a word of notations
            continue
        if len(step.group()) > 3:
            raise Unreadable(f"no sentence ends in '{step.group()}': {text[place : place + 60]!r}")
        return step.end()
    raise Unreadable(f"a sentence does not end: {text[place : place + 60]!r}")


@dataclass(frozen=True)
class Statement:
    """What is to be proved.

    Attributes:
        sentences: up to the claim, without ``Proof.``.
        name: of the claim.
        assumed: names that the statement itself takes as axioms or parameters.
    """

    sentences: tuple[str, ...]
    name: str
    assumed: tuple[str, ...]


def read_statement(source: str) -> Statement:
    """Read a statement: anything before its last claim, which ``Proof.`` and what follows may end.

    ``From Stdlib Require`` is written as Coq before Rocq 9 knows it.

    Raises:
        Unreadable: it cannot be split, or claims nothing.
    """
    found = [one.replace("From Stdlib ", "From Coq ", 1) for one in sentences(source)]
    proofs = [i for i, one in enumerate(found) if re.match(r"Proof\b", one)]
    if proofs:
        found = found[: proofs[-1]]
    claim = _CLAIM.match(found[-1]) if found else None
    if claim is None:
        raise Unreadable("it does not end in a Theorem, Lemma or the like (Proof. left aside)")
    assumed: list[str] = []
    for one in found:
        if told := _ASSUMED.match(one):
            assumed += _OWN_NAME.findall(told.group(1).partition(":")[0])
    return Statement(tuple(found), claim.group(1), tuple(assumed))


def proof_sentences(proof: str) -> list[str]:
    """The sentences of a model's proof; ``Proof.`` before and ``Qed.`` after may stand or not.

    Raises:
        Unreadable: it is not made of tactics, bullets and braces alone; the message says which
            sentence.
    """
    if len(proof) > MAX_PROOF_CHARS:
        raise Unreadable(f"longer than {MAX_PROOF_CHARS:,} characters")
    found = sentences(proof)
    if found and found[0] == "Proof.":
        del found[0]
    if found and found[-1] == "Qed.":
        del found[-1]
    for one in found:
        _check_tactic(one)
    return found


def _check_tactic(sentence: str) -> None:
    shown = sentence if len(sentence) <= 80 else sentence[:80] + " …"
    if word := _FORBIDDEN.search(sentence):
        raise Unreadable(f"'{word.group(1)}' is not allowed: {shown}")
    selector = _SELECTOR.match(sentence)
    rest = sentence[selector.end() :] if selector else sentence
    if not (_BULLET.fullmatch(rest) or _TACTIC.match(rest)):
        raise Unreadable(f"only tactics are allowed: {shown}")


def proof_of(completion: str, name: str = "") -> str:
    """The proof in a model's completion: its last code block, or all of it; after the last
    ``Proof.`` if it says that, up to ``Qed.``."""
    blocks = _FENCE.findall(completion)
    text = blocks[-1] if blocks else completion
    claimed = text.rfind(name) if name else -1
    start = text.find("Proof.", max(claimed, 0))
    if start >= 0:
        text = text[start + len("Proof.") :]
    end = re.search(r"(?<!\w)(?:Qed|Defined)\.", text)
    return (text[: end.start()] if end else text).strip()
