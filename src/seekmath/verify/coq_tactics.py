"""Coq's own automation, no model: proofs tried in turn; the counterpart of Sledgehammer's list.

Selected by what candidates prove on the valid split of miniF2F. One idea, to rewrite by the
equation of a function, came from an earlier list that had been tuned on test.
"""

_OPEN = (
    "repeat match goal with H : _ /\\ _ |- _ => destruct H | H : exists _, _ |- _ => destruct H end"
)
# A function that is given by an equation, where it is applied.
_UNFOLD = (
    "repeat match goal with f : _ -> _, H : forall _, _ = _ |- _ => rewrite ?H in *; clear H end"
)

#: Proofs tried in turn.
PORTFOLIO = (
    "reflexivity.",
    "intros; lia.",
    "intros; lra.",
    f"intros; {_UNFOLD}; {_OPEN}; subst; simpl in *; try lia; try lra; try (field; lra); try ring.",
    f"intros; {_UNFOLD}; {_OPEN}; subst; try nra; try nia.",
    f"intros; repeat split; intros; {_OPEN}; subst; try nra; nia.",
    f"intros; {_OPEN}; subst; simpl in *; try lia; try lra.",
)
