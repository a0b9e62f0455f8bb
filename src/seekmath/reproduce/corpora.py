"""Tables 1, 6, 7, 8 and Figure 3: what to pre-train on, and in which order.

Every arm is a model pre-trained from scratch for the same number of tokens on other text, then
fine-tuned on the same solutions, since a model of this size follows no worked examples. Bits per
byte of test solutions, which need no fine-tuning, stand beside the accuracies.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seekmath.reproduce.chain import measured, mined, on
from seekmath.reproduce.claims import NO_RISE, Claim, Measured
from seekmath.reproduce.experiment import Curves, Experiment, Stages
from seekmath.reproduce.measures import curve, greedy, logged
from seekmath.reproduce.sizes import Size

_BITS = "bits per byte of solutions"
_CODE_BITS = "bits per byte of code"

#: Shares of the text of each arm of Table 1; what they stand for is in ``differs``.
_CORPORA: dict[str, dict[str, float]] = {
    "none": {"general": 1.0},
    "papers": {"papers": 0.85, "general": 0.15},
    "first-round": {"first": 1.0},
    "mix": {"papers": 2 / 7, "first": 4 / 7, "code": 1 / 7},
    "mined": {"mined": 1.0},
}


def _tokens(size: Size) -> Stages:
    """The mined corpus, that of the first round alone, and the others, as one set of shards."""
    stages = mined(size)
    stages["mine-first"] = {"type": "mine", **stages["mine"], "rounds": 1}
    stages["tokenize-all"] = {
        "type": "tokenize",
        "corpus": {"mined": "mine/corpus", "first": "mine-first/corpus", **size.corpora},
        "vocab_size": size.vocab_size,
        "heldout_share": 0.05,
    }
    return stages


def _only(size: Size, shares: dict[str, float]) -> dict[str, float]:
    """``shares``, and zero for the other corpora, whose held-out text is measured all the same."""
    return {name: shares.get(name, 0.0) for name in ("mined", "first", *size.corpora)}


def _trained(size: Size, name: str, **text: Any) -> Stages:
    """Pre-training of one arm."""
    body = {"type": "pretrain", "tokens": "tokenize-all", **size.pretrain, **text}
    return {f"pretrain-{name}": on(size, body)}


def _arm(size: Size, name: str, kinds: list[str], **text: Any) -> Stages:
    """Pre-training of one arm and its fine-tuning."""
    return {
        **_trained(size, name, **text),
        f"sft-{name}": on(
            size,
            {
                "type": "sft",
                "model": f"pretrain-{name}/model",
                "problems": size.problems,
                **size.sft,
                "kinds": kinds,
                "epochs": size.trial_epochs,
            },
        ),
    }


def _evaluated(size: Size, names: list[str], mode: str) -> dict[str, Any]:
    return measured(size, {name: f"sft-{name}/model" for name in names}, size.sets, mode=mode)


def _bits(run: Path, name: str, corpus: str) -> dict[str, float]:
    """Bits per byte of a corpus' held-out text at the end of an arm's pre-training."""
    key = f"bits_per_byte/{corpus}"
    return {"": next(row[key] for row in reversed(logged(run / f"pretrain-{name}")) if key in row)}


# Tables 1 and 8, Figure 3


def pretrained(size: Size, names: Iterable[str]) -> Stages:
    """The models of these arms of Table 1, before fine-tuning."""
    stages = _tokens(size)
    for name in names:
        stages |= _trained(size, name, **_table_1_text(size, name))
    return stages


def _table_1_text(size: Size, name: str) -> dict[str, Any]:
    return {"weights": _only(size, _CORPORA[name]), "steps": size.trial_steps}


def _table_1_stages(size: Size) -> Stages:
    stages = _tokens(size)
    for name in _CORPORA:
        stages |= _arm(size, name, ["cot"], **_table_1_text(size, name))
    return {**stages, "evaluate-corpora": _evaluated(size, list(_CORPORA), "cot")}


def _table_1(run: Path, size: Size) -> Measured:
    folder = run / "evaluate-corpora"
    return {
        name: {
            **{benchmark: greedy(folder, name, benchmark) for benchmark in size.sets},
            _BITS: _bits(run, name, "solutions"),
        }
        for name in _CORPORA
    }


def _bits_by_step(run: Path, arms: dict[str, str]) -> Curves:
    """As the paper's Figure 3: by tokens, which are equal at equal steps."""
    return {
        _BITS: {
            arm: curve(run / f"pretrain-{name}", "bits_per_byte/solutions")
            for arm, name in arms.items()
        }
    }


def _table_1_curves(run: Path) -> Curves:
    return _bits_by_step(run, {name: name for name in _CORPORA})


def _table_1_claims(size: Size) -> list[Claim]:
    gsm, _, cmath = size.sets
    claims = []
    for other, words in {
        "none": "no mathematics",
        "papers": "papers",
        "mix": "a mix of papers, first-round web and code",
        "first-round": "the first round's corpus",
    }.items():
        claims += [
            Claim(f"The mined corpus beats {words} at equal tokens, in English.",
                  "mined", gsm, other),
            Claim(f"… and in Chinese (against {words}).", "mined", cmath, other),
            Claim(f"… and test solutions are more surprising after {words}.",
                  other, _BITS, "mined"),
        ]  # fmt: skip
    return claims


TABLE_1 = Experiment(
    title="The mined corpus beside other mathematical corpora",
    place="Table 1 and Figure 3, section 2.2",
    stages=_table_1_stages,
    measure=_table_1,
    claims=_table_1_claims,
    curves=_table_1_curves,
    paper={
        "none": {"GSM8K": 0.029, "MATH": 0.030, "CMATH": 0.123},
        "papers": {"GSM8K": 0.027, "MATH": 0.033, "CMATH": 0.012},
        "first-round": {"GSM8K": 0.115, "MATH": 0.089, "CMATH": 0.168},
        "mix": {"GSM8K": 0.143, "MATH": 0.112, "CMATH": 0.199},
        "mined": {"GSM8K": 0.238, "MATH": 0.136, "CMATH": 0.415},
    },
    differs="In the paper's rows stand MathPile for papers, OpenWebMath for the first round and"
    " Proof-Pile-2 for the mix (papers : web : code as 2 : 4 : 1). The paper asks base models with"
    " worked examples; here every model is fine-tuned briefly on the same solutions first.",
)


def _table_8_claims(size: Size) -> list[Claim]:
    points = f"by more than {100 * NO_RISE:.0f} points"
    return [
        Claim(f"Papers do not raise {name} ({points}).", "papers", name, "none", "not above",
              NO_RISE)
        for name in size.sets
    ]  # fmt: skip


TABLE_8 = Experiment(
    title="Papers bring no improvement",
    place="Table 8, section 5.1.2",
    stages=_table_1_stages,
    measure=_table_1,
    claims=_table_8_claims,
    curves=_table_1_curves,
    paper={
        "none": {"GSM8K": 0.029, "MATH": 0.030, "CMATH": 0.123},
        "papers": {"GSM8K": 0.033, "MATH": 0.034, "CMATH": 0.074},
    },
    differs="Generated papers (definitions, theorems, proofs) against no mathematics, from scratch"
    " and fine-tuned; the paper's row is ArXiv-RedPajama at 1.3B. Formal proving is Table 9.",
)

# Tables 6 and 7

_FIRST_THEN = {"general-then-math": "general", "code-then-math": "code"}
_SCHEDULES = ("math", *_FIRST_THEN, "mixed")


def _schedule(size: Size, name: str) -> dict[str, Any]:
    """Steps and weights of a schedule; each holds the same tokens of mathematics."""
    steps = size.trial_steps
    if name == "math":
        return {"weights": _only(size, {"mined": 1.0}), "steps": steps}
    if name == "mixed":
        return {"weights": _only(size, {"code": 0.5, "mined": 0.5}), "steps": 2 * steps}
    phases = [
        {"name": corpus, "steps": steps, "weights": _only(size, {corpus: 1.0})}
        for corpus in (_FIRST_THEN[name], "mined")
    ]
    return {"phases": phases, "steps": 2 * steps, "schedule_per_phase": True}


def _table_6_stages(size: Size) -> Stages:
    stages = _tokens(size)
    for name in _SCHEDULES:
        stages |= _arm(size, f"schedule-{name}", ["cot", "pot"], **_schedule(size, name))
    names = [f"schedule-{name}" for name in _SCHEDULES]
    return {
        **stages,
        "evaluate-schedules": _evaluated(size, names, "cot"),
        "evaluate-schedules-pot": _evaluated(size, names, "pot"),
    }


def _table_6(run: Path, size: Size) -> Measured:
    found: Measured = {}
    for schedule in _SCHEDULES:
        name = f"schedule-{schedule}"
        found[schedule] = {
            **{b: greedy(run / "evaluate-schedules", name, b) for b in size.sets},
            **{f"{b} tool": greedy(run / "evaluate-schedules-pot", name, b) for b in size.sets},
            _BITS: _bits(run, name, "solutions"),
            _CODE_BITS: _bits(run, name, "code"),
        }
    return found


def _table_6_curves(run: Path) -> Curves:
    return _bits_by_step(run, {name: f"schedule-{name}" for name in _SCHEDULES})


def _table_6_claims(size: Size) -> list[Claim]:
    gsm = size.sets[0]
    return [
        Claim("Code before mathematics helps without a tool.",
              "code-then-math", gsm, "math"),
        Claim("Code before mathematics helps with a tool.",
              "code-then-math", f"{gsm} tool", "math"),
        Claim("It helps more than general text does (without a tool).",
              "code-then-math", gsm, "general-then-math"),
        Claim("It helps more than general text does (with a tool).",
              "code-then-math", f"{gsm} tool", "general-then-math"),
        Claim("Mixing code and mathematics in one stage helps tool use most.",
              "mixed", f"{gsm} tool", "code-then-math"),
        Claim("Mixing lowers accuracy without a tool.", "code-then-math", gsm, "mixed"),
        Claim("Mixing keeps the coding ability that a second stage loses (bits per byte of code).",
              "code-then-math", _CODE_BITS, "mixed"),
    ]  # fmt: skip


TABLE_6 = Experiment(
    title="Code before mathematics, and both at once",
    place="Tables 6 and 7, section 5.1.1",
    stages=_table_6_stages,
    measure=_table_6,
    claims=_table_6_claims,
    curves=_table_6_curves,
    paper={
        "math": {"GSM8K": 0.205, "CMATH": 0.376, "GSM8K+Python": 0.114},
        "general-then-math": {"GSM8K": 0.191, "CMATH": 0.372, "GSM8K+Python": 0.143},
        "code-then-math": {"GSM8K": 0.219, "CMATH": 0.397, "GSM8K+Python": 0.174},
        "mixed": {"GSM8K": 0.176, "CMATH": 0.363, "GSM8K+Python": 0.197},
    },
    differs="As many tokens of code (or general text) as of mathematics; the paper has 400B before"
    " 150B. Tool: programs run in the sandbox, after fine-tuning on solutions in words and as"
    " programs.",
)
