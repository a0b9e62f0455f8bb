"""Table 9: formal proving after pre-training on papers, on mathematics mined, and on neither.

The arms are those of Table 1; each is fine-tuned on theorems with proofs and asked for proofs of
other theorems, which a prover judges. What the prover's own tactics prove stands beside them.
"""

from pathlib import Path

from seekmath.core.files import read_json
from seekmath.evaluate.proving import AUTOMATION
from seekmath.reproduce.chain import measured, on
from seekmath.reproduce.claims import NO_RISE, Claim, Measured
from seekmath.reproduce.corpora import pretrained
from seekmath.reproduce.experiment import Experiment, Stages
from seekmath.reproduce.measures import greedy, sampled
from seekmath.reproduce.sizes import Size

_ARMS = ("none", "papers", "mined")
_SAMPLES = 8


def _stages(size: Size) -> Stages:
    stages = pretrained(size, _ARMS)
    if size.embedded:
        stages["world-formal"] = {"type": "world", **size.formal}
    for arm in _ARMS:
        stages[f"sft-formal-{arm}"] = on(
            size,
            {
                "type": "sft",
                "model": f"pretrain-{arm}/model",
                "problems": size.theorems,
                **size.sft,
                "kinds": ["proof"],
            },
        )
    models = {arm: f"sft-formal-{arm}/model" for arm in _ARMS}
    asked = measured(size, models, (), sampled=list(size.formal_sets), samples=_SAMPLES)
    return {**stages, "evaluate-formal": {**asked, "benchmarks": size.formal_sets}}


def _measure(run: Path, size: Size) -> Measured:
    return {arm: _proved(run / "evaluate-formal", arm, size) for arm in (*_ARMS, AUTOMATION)}


def _proved(folder: Path, arm: str, size: Size) -> dict[str, dict[str, float]]:
    """Of each benchmark the greedy proofs that hold and, of a model, pass@K of its samples."""
    titles = read_json(folder / "details.json")[arm]
    found = {}
    for name in size.formal_sets:
        title = next(one for one in titles if one.partition(" (")[0] == name)
        found[name] = greedy(folder, arm, title)
        if arm != AUTOMATION:
            passed = sampled(folder, arm, title, [_SAMPLES])[f"pass@{_SAMPLES}"]
            found[f"{name} pass@{_SAMPLES}"] = passed
    return found


def _claims(size: Size) -> list[Claim]:
    points = f"by more than {100 * NO_RISE:.0f} points"
    names = size.formal_sets
    return [
        Claim(f"Papers do not raise formal proving{f' on {name}' if len(names) > 1 else ''}"
              f" ({points}).", "papers", name, "none", "not above", NO_RISE)
        for name in names
    ]  # fmt: skip


def _needs(size: Size) -> None:
    """A Coq that starts in its sandbox, where statements are Coq's; at best before any work."""
    if size.embedded:
        from seekmath.verify.coq_session import CoqSession

        CoqSession(()).close()


TABLE_9 = Experiment(
    title="Papers bring no improvement in formal proving",
    place="Table 9, section 5.1.2",
    stages=_stages,
    measure=_measure,
    claims=_claims,
    needs=_needs,
    paper={
        "none": {"minif2f-valid": 0.201, "minif2f-test": 0.217},
        "papers": {"minif2f-valid": 0.148, "minif2f-test": 0.119},
    },
    differs="Generated theorems of Coq in eight shapes, and models fine-tuned on proofs of other"
    " such theorems; the paper asks 7B models with worked examples for Isabelle proofs of"
    " miniF2F, its row of papers is ArXiv-RedPajama (MathPile: 16.8 and 16.4), and it has no row"
    " that stands for mined. Automation: the prover's own tactics, without a model.",
)
