"""Outcome reward model: a scalar head on the last token, trained on answer correctness (4.2).

Solutions are sampled from the model, graded by the answer rule, and split by question; the loss
is binary cross-entropy on the head's logit.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seekmath.core.files import (
    BadInput,
    read_json,
    read_jsonl,
    read_parquet,
    whole_folder,
    write_json,
    write_parquet,
)
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.core.seeds import derive, rng
from seekmath.corpus.chat import prompt_text, render_prompt, with_choices
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.folder import (
    config_json,
    copy_tokenizer,
    load_config,
    load_model,
    load_weights,
    save_weights,
)
from seekmath.model.sampler import sample
from seekmath.train.loop import Pace, train
from seekmath.train.optimizer import pick_device
from seekmath.train.settings import RewardSettings
from seekmath.verify.grade import grade

_SAMPLED_AT_ONCE = 64


class RewardModel(nn.Module):
    """A decoder's backbone with a scalar head."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.score = nn.Linear(decoder.config.hidden_size, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, texts: list[list[int]]) -> Tensor:
        """The logit that each token sequence ends in a right answer, (N,)."""
        device = self.score.weight.device
        width = max(map(len, texts))
        tokens = torch.tensor([ids + [0] * (width - len(ids)) for ids in texts], device=device)
        last = torch.tensor([len(ids) - 1 for ids in texts], device=device)
        hidden = self.decoder.hidden(tokens)
        return self.score(hidden[torch.arange(len(texts), device=device), last])[:, 0]


def load_reward_model(folder: str | Path, device: str = "cpu") -> RewardModel:
    """Open a folder that ``seekmath reward`` wrote."""
    path = Path(folder)
    if read_json(path / "config.json").get("num_labels", 1) != 1:
        raise BadInput(f"{path}/config.json: num_labels: a reward model has 1")
    weights = load_weights(path)
    if "score.weight" not in weights:
        raise BadInput(f"{path}: the weights lack 'score.weight'; is this a reward model?")
    model = RewardModel(Decoder(load_config(path)))
    named = {key: value for key, value in weights.items() if key.startswith("model.")}
    model.decoder.load_state_dict(named, strict=False)
    model.score.weight.data.copy_(weights["score.weight"])
    return model.to(device).eval()


def save_reward_model(model: RewardModel, folder: Path, tokenizer_folder: str | Path) -> None:
    """Write a sequence-classification folder in Hugging Face's form, whole or not at all."""
    with whole_folder(folder) as scratch:
        family = model.decoder.config.model_type.capitalize()
        config = config_json(model.decoder.config, f"{family}ForSequenceClassification")
        config |= {"num_labels": 1, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        (scratch / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        named = {k: p for k, p in model.decoder.named_parameters() if k.startswith("model.")}
        save_weights({**named, "score.weight": model.score.weight}, scratch)
        copy_tokenizer(Path(tokenizer_folder), scratch)


@dataclass(frozen=True)
class _Graded:
    """Sampled solutions with their labels; ``question`` numbers the question of each."""

    texts: list[list[int]]
    labels: NDArray[np.float32]
    question: NDArray[np.int64]


def reward(settings: RewardSettings, job: Job) -> dict[str, Any]:
    """Sample, grade and train; leaves ``samples.parquet``, ``model/`` and ``results.json``."""
    tokenizer = Tokenizer.load(settings.model)
    device = pick_device(settings.device)
    path = job.out / "samples.parquet"
    if not path.exists():
        write_parquet(path, _sampled(settings, tokenizer, job, str(device)), SAMPLE)
    graded = _read(path, tokenizer)
    border = round(int(graded.question.max() + 1) * (1 - settings.heldout_share))
    learned = np.flatnonzero(graded.question < border)
    heldout = np.flatnonzero(graded.question >= border)
    model = RewardModel(load_model(settings.model)).to(device)
    per_epoch = max(1, len(learned) // settings.rows_per_step)

    def batch_loss(step: int) -> tuple[Tensor, int, int]:
        epoch, place = divmod(step, per_epoch)
        order = rng(job.seed, "reward", epoch).permutation(learned)
        rows = order[place * settings.rows_per_step :][: settings.rows_per_step]
        texts = [graded.texts[row] for row in rows]
        labels = torch.from_numpy(graded.labels[rows]).to(device)
        loss = F.binary_cross_entropy_with_logits(model(texts), labels, reduction="sum")
        return loss, len(rows), sum(map(len, texts))

    steps = max(1, math.ceil(per_epoch * settings.epochs))
    last = train(model, batch_loss, settings, Pace(steps, settings.log_every), job)
    save_reward_model(model, job.out / "model", settings.model)
    measured = _measure(model.eval(), graded, heldout)
    write_json(job.out / "results.json", measured)
    return {**last, **measured, "samples": len(graded.texts), "steps": steps}


def _sampled(
    settings: RewardSettings, tokenizer: Tokenizer, job: Job, device: str
) -> list[dict[str, Any]]:
    model = load_model(settings.model, device)
    problems = _problems(settings, job.seed)
    rows: list[dict[str, Any]] = []
    for start in range(0, len(problems), _SAMPLED_AT_ONCE):
        part = problems[start : start + _SAMPLED_AT_ONCE]
        groups = sample(
            model,
            [render_prompt(tokenizer, problem["question"]) for problem in part],
            n=settings.samples_per_question,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            stop_ids={tokenizer.eos_id or 0},
            seed=derive(job.seed, "reward-samples"),
            prompt_keys=list(range(start, start + len(part))),
        )
        for problem, group in zip(part, groups, strict=True):
            for k, completion in enumerate(group):
                rows.append(_record(problem, k, completion.token_ids, tokenizer))
        job.progress(start + len(part), len(problems), "questions", "sampling")
    return rows


def _record(
    problem: dict[str, Any], k: int, token_ids: list[int], tokenizer: Tokenizer
) -> dict[str, Any]:
    text = tokenizer.decode(token_ids)
    judged = grade(problem["answer"], text, choices=problem.get("choices"), strict=True)
    return {
        "problem_id": str(problem.get("id", "")),
        "k": k,
        "prompt": prompt_text(problem["question"]),
        "completion": text,
        "token_ids": token_ids,
        "gold": problem["answer"],
        "extracted": judged.extracted,
        "verdict": judged.verdict,
        "reason": judged.reason,
    }


def _problems(settings: RewardSettings, seed: int) -> list[dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(read_jsonl(settings.problems), 1):
        if not isinstance(row.get("question"), str) or "answer" not in row:
            raise BadInput(f"{settings.problems}:{number}: needs question and answer")
        if not settings.subjects or row.get("subject") in settings.subjects:
            asked = with_choices(row["question"], row.get("choices"))
            seen.setdefault(asked, {**row, "question": asked, "answer": str(row["answer"])})
    if not seen:
        raise BadInput(f"{settings.problems}: no problem of the subjects {settings.subjects}")
    every = list(seen.values())
    order = rng(seed, "reward-questions").permutation(len(every))[: settings.questions]
    return [every[place] for place in order]


def _read(path: Path, tokenizer: Tokenizer) -> _Graded:
    columns = ["problem_id", "prompt", "token_ids", "verdict"]
    table = read_parquet(path, columns)
    start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    prompts = table["prompt"].to_pylist()
    names = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    encoded = {prompt: start + tokenizer.encode(prompt) for prompt in names}
    rows = [row for row, verdict in enumerate(table["verdict"].to_pylist()) if verdict is not None]
    completions, verdicts = table["token_ids"].to_pylist(), table["verdict"].to_pylist()
    return _Graded(
        [encoded[prompts[row]] + completions[row] for row in rows],
        np.array([verdicts[row] for row in rows], dtype=np.float32),
        np.array([names[prompts[row]] for row in rows]),
    )


@torch.no_grad()
def score(model: RewardModel, texts: list[list[int]], rows: int = 128) -> Tensor:
    """The model's logit for each token sequence, (N,)."""
    parts = [model(texts[start : start + rows]) for start in range(0, len(texts), rows)]
    return torch.cat(parts)


def _measure(model: RewardModel, graded: _Graded, heldout: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy at logit 0 and area under the ROC curve on the questions kept out."""
    scores = score(model, [graded.texts[row] for row in heldout]).cpu().numpy()
    labels = graded.labels[heldout] > 0.5
    measured = {
        "heldout_accuracy": float(((scores > 0) == labels).mean()),
        "heldout_base_rate": float(labels.mean()),
        "heldout_samples": float(len(labels)),
    }
    if labels.any() and not labels.all():
        measured["heldout_auc"] = area_under_curve(scores, labels)
    return measured


def area_under_curve(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    """Chance that a right answer scores above a wrong one, ties counted half."""
    right, wrong = scores[labels][:, None], scores[~labels][None]
    return float((right > wrong).mean() + 0.5 * (right == wrong).mean())
