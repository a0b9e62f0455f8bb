"""Coq's own automation, no model: proofs tried in turn; the counterpart of Sledgehammer's list."""

_DESTRUCT = (
    "repeat match goal with H : _ /\\ _ |- _ => destruct H | H : exists _, _ |- _ => destruct H end"
)
#: Proofs tried in turn.
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
