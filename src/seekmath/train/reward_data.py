"""What reward models learn from: sampled solutions, their verdicts, and labels of their steps.

Labels of steps are made the Math-Shepherd way (arXiv 2312.08935): from the end of each step N
completions are sampled; the label is whether any of them reaches the answer, or the share of them.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seekmath.core.files import BadInput, read_jsonl, read_parquet
from seekmath.core.job import Job
from seekmath.core.seeds import derive, rng
from seekmath.corpus.chat import prompt_text, render_prompt, with_choices
from seekmath.corpus.steps import step_ends
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.sampler import sample
from seekmath.train.settings import RewardSettings
from seekmath.verify.grade import grade

_SAMPLED_AT_ONCE = 64
#: ``stop_reason`` of a solution that was ended early on purpose.
CUT = "cut"


@dataclass(frozen=True)
class Solution:
    """A solution with what is known of it.

    Attributes:
        question: number of its question.
        start: tokens of its prompt.
        text: token ids of prompt and solution.
        right: whether its answer is right.
        ends: index in ``text`` of the last token of each step.
        labels: for each step how likely it leads to the answer; empty where it was not estimated.
        cut: whether it was sampled longer and ends early on purpose.
    """

    question: int
    start: int
    text: list[int]
    right: bool
    ends: list[int] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True)
class LabelPlan:
    """How the labels of steps are estimated; paper of Math-Shepherd: 8 completions, hard."""

    completions: int
    max_new_tokens: int
    temperature: float
    estimate: Literal["hard", "soft"]


def read_problems(settings: RewardSettings, seed: int) -> list[dict[str, Any]]:
    """The questions to sample from, each once, drawn by ``seed``.

    Raises:
        BadInput: a line lacks question or answer, or none is of the subjects asked for.
    """
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


def sample_solutions(
    model: Decoder, tokenizer: Tokenizer, settings: RewardSettings, job: Job
) -> list[dict[str, Any]]:
    """Rows (schema SAMPLE) of graded solutions; with labels of their steps for a process model."""
    problems = read_problems(settings, job.seed)
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
        made = [
            _record(problem, k, completion.token_ids, tokenizer)
            for problem, group in zip(part, groups, strict=True)
            for k, completion in enumerate(group)
        ]
        made += cut_early(made, part, tokenizer, settings.cut_share, derive(job.seed, "cut", start))
        if settings.kind == "process":
            plan = LabelPlan(
                settings.completions_per_step,
                settings.max_new_tokens,
                settings.temperature,
                settings.estimate,
            )
            label_steps(made, model, tokenizer, plan, derive(job.seed, "steps", start))
        rows += made
        job.progress(start + len(part), len(problems), "questions", "sampling")
    return rows


def cut_early(
    rows: list[dict[str, Any]],
    problems: list[dict[str, Any]],
    tokenizer: Tokenizer,
    share: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Some of ``rows`` again, ended after one of their steps but the last, and graded as the rest.

    The policy that samples hardly ever stops before its answer; one that is rewarded by a model
    which has never seen that soon does.

    Args:
        rows: sampled solutions, groups of one size in the order of ``problems``.
        problems: their questions.
        tokenizer: has the end token.
        share: how many, as a share of ``rows``.
        seed: draws which rows, and where each ends.
    """
    if tokenizer.eos_id is None:
        return []
    draw = rng(seed, "rows")
    per_question = len(rows) // len(problems)
    chosen = [
        (problems[place // per_question], rows[place])
        for place in sorted(draw.permutation(len(rows))[: round(share * len(rows))].tolist())
        if len(rows[place]["step_ends"]) > 1
    ]
    return [
        _record(
            problem,
            row["k"],
            [*row["token_ids"][: int(draw.choice(row["step_ends"][:-1])) + 1], tokenizer.eos_id],
            tokenizer,
            stop_reason=CUT,
        )
        for problem, row in chosen
    ]


def _record(
    problem: dict[str, Any],
    k: int,
    token_ids: list[int],
    tokenizer: Tokenizer,
    stop_reason: str | None = None,
) -> dict[str, Any]:
    text = tokenizer.decode(token_ids)
    judged = grade(problem["answer"], text, choices=problem.get("choices"), strict=True)
    return {
        "problem_id": str(problem.get("id", "")),
        "k": k,
        "prompt": prompt_text(problem["question"]),
        "completion": text,
        "token_ids": token_ids,
        "stop_reason": stop_reason,
        "gold": problem["answer"],
        "extracted": judged.extracted,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "step_ends": step_ends(tokenizer, token_ids),
        "choices": problem.get("choices"),
    }


def label_steps(
    rows: list[dict[str, Any]],
    model: Decoder,
    tokenizer: Tokenizer,
    plan: LabelPlan,
    seed: int,
) -> None:
    """Give each row ``step_rewards``: what continuations from the end of each step came to.

    The last step's label is the verdict itself. Solutions that begin alike share estimates.
    """
    context = model.config.max_position_embeddings
    prefixes: dict[tuple[int, ...], dict[str, Any]] = {}
    for row in rows:
        prompt = _prompt_ids(tokenizer, row["prompt"])
        for end in row["step_ends"][:-1]:
            prefix = (*prompt, *row["token_ids"][: end + 1])
            if len(prefix) < context:
                prefixes.setdefault(prefix, {**row, "start": len(prompt)})
    shares: dict[tuple[int, ...], float] = {}
    names = list(prefixes)
    for start in range(0, len(names), _SAMPLED_AT_ONCE):
        part = names[start : start + _SAMPLED_AT_ONCE]
        groups = sample(
            model,
            [list(prefix) for prefix in part],
            n=plan.completions,
            max_new_tokens=plan.max_new_tokens,
            temperature=plan.temperature,
            stop_ids={tokenizer.eos_id or 0},
            seed=seed,
            prompt_keys=list(range(start, start + len(part))),
        )
        for prefix, group in zip(part, groups, strict=True):
            row = prefixes[prefix]
            begun = list(prefix[row["start"] :])
            texts = [tokenizer.decode([*begun, *done.token_ids]) for done in group]
            right = Counter(_is_right(row, text) for text in texts)[True]
            shares[prefix] = right / len(group)
    for row in rows:
        prompt = _prompt_ids(tokenizer, row["prompt"])
        found = [
            shares.get((*prompt, *row["token_ids"][: end + 1]), 0.0)
            for end in row["step_ends"][:-1]
        ]
        if plan.estimate == "hard":
            found = [float(share > 0) for share in found]
        row["step_rewards"] = [*found, float(row["verdict"] is True)] if row["step_ends"] else []


def _is_right(row: dict[str, Any], text: str) -> bool:
    return grade(row["gold"], text, choices=row.get("choices"), strict=True).verdict is True


def _prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    return start + tokenizer.encode(prompt)


def read_solutions(paths: list[Path], tokenizer: Tokenizer) -> list[Solution]:
    """Solutions of Parquet files (schema SAMPLE) whose verdict is known, in their order."""
    columns = ["prompt", "token_ids", "stop_reason", "verdict", "step_ends", "step_rewards"]
    names: dict[str, int] = {}
    found = []
    for path in paths:
        for row in read_parquet(path, columns).to_pylist():
            number = names.setdefault(row["prompt"], len(names))
            if row["verdict"] is None or not row["token_ids"]:
                continue
            prompt = _prompt_ids(tokenizer, row["prompt"])
            found.append(
                Solution(
                    number,
                    len(prompt),
                    prompt + row["token_ids"],
                    row["verdict"],
                    [len(prompt) + end for end in row["step_ends"] or []],
                    row["step_rewards"] or [],
                    row["stop_reason"] == CUT,
                )
            )
    return found
