"""What a prover says of a proof."""

from dataclasses import dataclass
from typing import Literal, Protocol

Verdict = Literal["proved", "wrong", "refused", "timeout", "memory", "statement", "unrun"]


@dataclass(frozen=True)
class Checked:
    """The end of one proof.

    Attributes:
        verdict: ``proved``; ``wrong``: the prover does not take it; ``refused``: it says what a
            proof may not say, or rests on an axiom that is not allowed; ``timeout``; ``memory``;
            ``statement``: the statement itself does not load; ``unrun``: the prover failed, which
            says nothing about the proof.
        reason: the prover's message, or ours; empty where proved.
        assumptions: axioms that the proof rests on; None where they were not listed.
        cpu_s: processor time, seconds.
        proof: the proof that was found, where the prover sought it itself.
    """

    verdict: Verdict
    reason: str = ""
    assumptions: tuple[str, ...] | None = None
    cpu_s: float = 0.0
    proof: str = ""


class Prover(Protocol):
    """Coq or Isabelle."""

    @property
    def title(self) -> str:
        """As row names carry it, such as "Coq"."""

    def describe(self) -> str:
        """Its version, and what isolates it."""

    def check(self, statement: str, proof: str) -> Checked:
        """Whether ``proof`` proves ``statement``."""

    def search(self, statement: str) -> Checked:
        """What its own automation makes of ``statement``, without any model."""

    def extract(self, statement: str, completion: str) -> str:
        """The proof in a model's completion."""

    def close(self) -> None:
        """End it."""


def proof_prompt(informal_statement: str, informal_proof: str, formal_statement: str) -> str:
    """The prompt of informal-to-formal proving (section 2.3.3; Jiang et al., 2022).

    Informal statement and proof stand in a comment, the formal statement after it; the model goes
    on with the formal proof. Without an informal statement the formal one stands alone.
    """
    formal = f"Formal:\n{formal_statement.strip()}\n"
    if not informal_statement.strip():
        return formal
    return (
        f"Informal:\n(*### Problem\n\n{informal_statement.strip()}\n\n"
        f"### Solution\n\n{informal_proof.strip()} *)\n\n{formal}"
    )
