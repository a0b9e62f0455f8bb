"""Coq's own automation, no model: proofs tried in turn; the counterpart of Sledgehammer's list.

Chosen by a fixed rule on the valid split of miniF2F alone, from the tactics that the documentation
of Coq and CoqHammer lists: ``benchmarks/coq_portfolio.py`` states the rule and applies it.
"""

_OPEN = "Coq.Program.Tactics.destruct_conjs; subst; simpl in *"

#: Proofs tried in turn.
PORTFOLIO = (
    "intros; hauto solve: nra.",
    f"intros; {_OPEN}; nia.",
    "intros; (field; lra).",
    "reflexivity.",
    "intros; qauto solve: nra.",
    "intros; repeat split; nia.",
    f"intros; {_OPEN}; (field; lra).",
    f"intros; {_OPEN}; lia.",
)
