"""Evaluation (paper, section 8 of the settings): every model on every benchmark (stage evaluate).

Greedy accuracy with Wilson's interval; for the sampled benchmarks Maj@K and Pass@K for K = 1, 2,
4 … with bootstrap intervals over problems. A finished pair of model and benchmark is kept as a
Parquet file of its samples and never asked again.
"""

from collections.abc import Iterator
from typing import Any

import torch

from seekmath.core.files import BadInput, read_jsonl, read_parquet, write_json, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import SAMPLE
from seekmath.core.seeds import derive, python_random
from seekmath.corpus.chat import (
    SHOT_BREAK,
    prompt_text,
    render_few_shot,
    render_prompt,
    with_choices,
)
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.evaluate.benchmarks import (
    Problem,
    benchmark_files,
    load_benchmark,
)
from seekmath.evaluate.metrics import Estimate, bootstrap, maj_at_k, pass_at_k, wilson
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model
from seekmath.model.sampler import Completion, sample
from seekmath.verify.equal import equal
from seekmath.verify.grade import grade

_AT_ONCE = 128
Row = dict[str, Any]


def evaluate(settings: EvaluateSettings, job: Job) -> dict[str, Any]:
    """Measure every model on every benchmark; leaves ``results.json`` and ``samples/``.

    Returns:
        ``model/benchmark/metric`` → value.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    files = benchmark_files(settings.benchmarks)
    unknown = set(settings.sampled) - set(files)
    if unknown:
        raise BadInput(f"sampled: found {sorted(unknown)}; allowed: {sorted(files)}")
    loaded = {
        name: load_benchmark(file, settings.question_field, settings.answer_field, settings.limit)
        for name, file in files.items()
    }
    results: dict[str, Estimate] = {}
    pairs = [(model, name) for model in settings.models for name in files]
    for number, (model, name) in enumerate(pairs):
        job.progress(number, len(pairs), "benchmarks", f"{model} on {name}")
        path = job.out / "samples" / f"{model}-{name}.parquet"
        if not path.exists():
            write_parquet(path, _answer(settings, model, name, loaded[name], job.seed), SAMPLE)
        rows = read_parquet(path).to_pylist()
        for metric, estimate in metrics_of(rows).items():
            results[f"{model}/{name}/{metric}"] = estimate
    write_json(job.out / "results.json", results)
    return {name: round(estimate["value"], 4) for name, estimate in results.items()}


def _answer(
    settings: EvaluateSettings, model: str, name: str, problems: list[Problem], seed: int
) -> list[Row]:
    folder = settings.models[model]
    decoder = load_model(folder, _device(settings.device))
    tokenizer = Tokenizer.load(folder)
    shots = _shots(settings, model, seed)
    rows = list(_sampled(settings, decoder, tokenizer, problems, shots, seed, greedy=True))
    if name in settings.sampled:
        rows += _sampled(settings, decoder, tokenizer, problems, shots, seed, greedy=False)
    for row in rows:
        row["benchmark"] = name
    return rows


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _shots(settings: EvaluateSettings, model: str, seed: int) -> list[tuple[str, str]]:
    if not settings.shots or model not in settings.few_shot_models:
        return []
    if not settings.shots_from:
        raise BadInput("shots_from: needed with shots: JSON lines with question and solution")
    rows = [row for row in read_jsonl(settings.shots_from) if row.get("kind", "cot") == "cot"]
    chosen = python_random(seed, "shots").sample(rows, settings.shots)
    return [(with_choices(r["question"], r.get("choices")), r["solution"]) for r in chosen]


def _sampled(
    settings: EvaluateSettings,
    decoder: Decoder,
    tokenizer: Tokenizer,
    problems: list[Problem],
    shots: list[tuple[str, str]],
    seed: int,
    greedy: bool,
) -> Iterator[Row]:
    """Greedy answers carry k = -1, samples k = 0, 1, …"""
    for start in range(0, len(problems), _AT_ONCE):
        part = problems[start : start + _AT_ONCE]
        groups = sample(
            decoder,
            [_prompt(tokenizer, problem, shots) for problem in part],
            n=1 if greedy else settings.samples,
            max_new_tokens=settings.max_new_tokens,
            temperature=0.0 if greedy else settings.temperature,
            top_p=settings.top_p,
            stop_ids={tokenizer.eos_id or 0},
            seed=derive(seed, "evaluate"),
            prompt_keys=[derive(0, problem.id) for problem in part],
            max_rows=settings.max_rows,
        )
        for problem, group in zip(part, groups, strict=True):
            for k, completion in enumerate(group):
                yield _row(tokenizer, problem, -1 if greedy else k, completion, bool(shots))


def _prompt(tokenizer: Tokenizer, problem: Problem, shots: list[tuple[str, str]]) -> list[int]:
    if shots:
        return render_few_shot(tokenizer, problem.asked, shots)
    return render_prompt(tokenizer, problem.asked)


def _row(
    tokenizer: Tokenizer, problem: Problem, k: int, completion: Completion, few_shot: bool
) -> Row:
    text = tokenizer.decode(completion.token_ids)
    # A base model goes on with a problem of its own after its answer.
    judged_text = text.split(SHOT_BREAK)[0] if few_shot else text
    judged = grade(problem.answer, judged_text, choices=problem.choices or None)
    return {
        "problem_id": problem.id,
        "k": k,
        "prompt": prompt_text(problem.asked),
        "completion": text,
        "token_ids": completion.token_ids,
        "logprobs": completion.logprobs,
        "stop_reason": completion.stop_reason,
        "extracted": judged.extracted,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "gold": problem.answer,
    }


def metrics_of(rows: list[Row]) -> dict[str, Estimate]:
    """Every metric of one model on one benchmark from its stored samples.

    A problem whose gold answer cannot be read has no verdict and is left out.
    """
    greedy = [row for row in rows if row["k"] < 0 and row["verdict"] is not None]
    metrics = (
        {"greedy": wilson(sum(row["verdict"] for row in greedy), len(greedy))} if greedy else {}
    )
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["k"] >= 0 and row["verdict"] is not None:
            groups.setdefault(row["problem_id"], []).append(row)
    if not groups:
        return metrics
    votes = [_votes(group) for group in groups.values()]
    n = min(len(group) for group in groups.values())
    k = 1
    while k <= n:
        passed = [pass_at_k(len(g), sum(r["verdict"] for r in g), k) for g in groups.values()]
        metrics[f"pass@{k}"] = bootstrap(passed)
        metrics[f"maj@{k}"] = bootstrap([maj_at_k(answers, gold, k) for answers, gold in votes])
        k *= 2
    return metrics


def _votes(group: list[Row]) -> tuple[list[str | None], str | None]:
    """Each sample's answer, equal ones under one name, and the name of the right one."""
    names: list[str] = []
    answers: list[str | None] = []
    for row in group:
        if row["extracted"] is None:
            answers.append(None)
        elif row["verdict"]:
            answers.append("right")
        else:
            text = row["extracted"]
            known = next((name for name in names if equal(name, text).right), None)
            if known is None:
                names.append(text)
            # Apart from the name "right", whatever a model wrote.
            answers.append(f"wrong:{known or text}")
    return answers, "right" if "right" in answers else None
