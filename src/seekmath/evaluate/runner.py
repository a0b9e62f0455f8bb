"""Evaluation (paper, sections 2.3 and 4.2): every model on every benchmark (stage ``evaluate``).

Greedy accuracy with Wilson's interval; for the sampled benchmarks Maj@K and Pass@K for K = 1, 2,
4 … (Figure 7) with bootstrap intervals over problems. Each finished answer is noted at once and
never asked for again; a finished pair of model and benchmark is a Parquet file of its answers.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from seekmath.core.complaints import unknown
from seekmath.core.files import BadInput, read_parquet, write_json, write_parquet
from seekmath.core.job import Job
from seekmath.core.records import ANSWER
from seekmath.corpus.template import ChatTemplate
from seekmath.evaluate.answer import Answerer, Ask, Reply, Run
from seekmath.evaluate.benchmarks import load_benchmarks, nearest_published
from seekmath.evaluate.contamination import found_in, texts_of
from seekmath.evaluate.journal import Journal
from seekmath.evaluate.judge import Judged, judge
from seekmath.evaluate.metrics import Estimate
from seekmath.evaluate.problem import Benchmark, Problem
from seekmath.evaluate.prompts import Prompter, Shots, draw_shots, mode_of, shots_wanted
from seekmath.evaluate.proving import (
    AUTOMATION,
    Automation,
    Provers,
    check_no_model_is_called,
    open_provers,
    rows_of,
)
from seekmath.evaluate.recorded import Recorded
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.evaluate.summary import NEEDED, Row, details_of, metrics_of


def evaluate(settings: EvaluateSettings, job: Job) -> dict[str, Any]:
    """Measure every model on every benchmark.

    Leaves ``results.json`` (``model/benchmark/metric`` → value, interval, n), ``details.json``
    (counts, subjects, levels, flags) and ``samples/`` (every answer).

    Returns:
        ``model/benchmark/metric`` → value; and ``unreadable``: benchmark → problems left out
        because no verdict on them is possible.
    """
    benchmarks = load_benchmarks(
        settings.benchmarks,
        settings.hub,
        settings.question_field,
        settings.answer_field,
        settings.limit,
        settings.informal,
    )
    _check_names(settings, benchmarks)
    for name in benchmarks:
        if near := nearest_published(name):
            job.say(f"{name}: a file of one's own, and not the published '{near}'")
    seen = {name: _seen(settings, benchmark) for name, benchmark in benchmarks.items()}
    results: dict[str, Estimate] = {}
    details: dict[str, Any] = {}
    few = settings.few_shot_models
    with (
        open_provers(settings, benchmarks.values()) as provers,
        _programs(settings, benchmarks, job) as run,
    ):
        asked = _Asked(settings, job, run, provers)
        rows = list(rows_of(settings, benchmarks.values(), provers))
        paths = _sample_paths([(model, title) for model, _, title in rows], job.out / "samples")
        for done, ((model, benchmark, title), path) in enumerate(zip(rows, paths, strict=True)):

            def show(share: float, done: int = done, note: str = f"{model} on {title}") -> None:
                job.progress(done + share, len(rows), "benchmarks", note)

            show(0.0)
            if not path.exists():
                asked.answers(model, benchmark, title, seen[benchmark.name], path, show)
            answers = read_parquet(path, NEEDED).to_pylist()
            for metric, estimate in metrics_of(answers).items():
                results[f"{model}/{title}/{metric}"] = estimate
            shots = max(shots_wanted(settings, benchmark).values()) if model in few else 0
            details.setdefault(model, {})[title] = {**details_of(answers), "shots": shots}
    write_json(job.out / "results.json", results)
    write_json(job.out / "details.json", details)
    values = {name: round(estimate["value"], 4) for name, estimate in results.items()}
    unreadable = {
        name: len(found["unjudged"])
        for per_model in details.values()
        for name, found in per_model.items()
        if found["unjudged"]
    }
    return {**values, **({"unreadable": unreadable} if unreadable else {})}


class _Asked:
    """Asks each model what is not answered yet; a model folder stays loaded for its benchmarks."""

    def __init__(
        self, settings: EvaluateSettings, job: Job, run: Run | None, provers: Provers
    ) -> None:
        self._settings, self._job, self._run = settings, job, run
        self._provers = provers
        self._native: tuple[str, Answerer] | None = None

    def answers(
        self,
        model: str,
        benchmark: Benchmark,
        title: str,
        seen: dict[str, float],
        path: Path,
        show: Callable[[float], None],
    ) -> None:
        """Ask one model one benchmark, ``title`` in tables, and leave its answers in ``path``."""
        settings, seed = self._settings, self._job.seed
        shots: Shots = {}
        if model in settings.few_shot_models:
            shots = draw_shots(settings, benchmark, seed)
        prompter = Prompter(benchmark, settings, shots, self._template(model))
        answerer = self._answerer(model, benchmark)
        sampled = benchmark.name in settings.sampled
        asks = [
            Ask(problem.id, k, prompter.prompt(problem))
            for problem in benchmark.problems
            for k in answerer.ks(problem.id, sampled)
        ]
        quoted = _larger(seen, _in_shots(benchmark, shots))
        problems = {problem.id: problem for problem in benchmark.problems}
        mode = mode_of(benchmark, settings.mode)
        prover = self._provers[benchmark.prover] if benchmark.prover else None
        journal = Journal(path.with_name(f".{path.stem}.jsonl"))

        def keep(ask: Ask, reply: Reply) -> None:
            if (ask.problem_id, ask.k) not in journal.rows:
                judged = judge(problems[ask.problem_id], reply, mode, self._run, prover)
                journal.add(_row(ask, reply, judged))
            show(len(journal.rows) / len(asks))

        try:
            left = [ask for ask in asks if (ask.problem_id, ask.k) not in journal.rows]
            answerer.answer(left, keep)
            _write(path, asks, journal, problems, quoted, title)
        finally:
            journal.close()
        journal.remove()

    def _answerer(self, model: str, benchmark: Benchmark) -> Answerer:
        settings = self._settings
        if model == AUTOMATION and benchmark.prover:
            return Automation(self._provers[benchmark.prover], benchmark)
        if model in settings.recorded:
            return Recorded(settings.recorded[model], settings, benchmark)
        if model in settings.served:
            from seekmath.evaluate.endpoint import Endpoint

            return Endpoint(settings.served[model], settings, self._job.seed, self._run)
        if self._native is None or self._native[0] != model:
            from seekmath.evaluate.native import Native

            native = Native(settings.models[model], settings, self._job.seed, self._run)
            self._native = model, native
        return self._native[1]

    def _template(self, model: str) -> ChatTemplate | None:
        if self._settings.template != "model" or model not in self._settings.models:
            return None
        return ChatTemplate.load(self._settings.models[model])


def _row(ask: Ask, reply: Reply, judged: Judged) -> Row:
    return {
        "problem_id": ask.problem_id,
        "k": ask.k,
        "completion": reply.text,
        "token_ids": reply.token_ids,
        "logprobs": reply.logprobs,
        "stop_reason": reply.stop_reason,
        "extracted": judged.extracted,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "rewards": reply.scores,
        "tokens": reply.tokens,
        "programs": [*(execution.status for execution in reply.executions), *judged.endings],
        "program_right": judged.program_right,
    }


def _write(
    path: Path,
    asks: list[Ask],
    journal: Journal,
    problems: dict[str, Problem],
    quoted: dict[str, float],
    title: str,
) -> None:
    """All answers in the order of the benchmark, with what the journal need not repeat."""

    def rows() -> Iterator[Row]:
        for ask in asks:
            problem = problems[ask.problem_id]
            yield {
                **journal.rows[ask.problem_id, ask.k],
                "benchmark": title,
                "prompt": ask.prompt.text,
                "question": problem.asked,
                "gold": problem.answer,
                "subject": problem.subject,
                "level": problem.level,
                "overlap": quoted.get(problem.id, 0.0),
            }

    write_parquet(path, list(rows()), ANSWER)


def _check_names(settings: EvaluateSettings, benchmarks: dict[str, Benchmark]) -> None:
    models = [*settings.models, *settings.served, *settings.recorded]
    check_no_model_is_called(models, benchmarks.values())
    for option, names, known in (
        ("--sampled", settings.sampled, list(benchmarks)),
        ("--few-shot-model", settings.few_shot_models, models),
    ):
        for name in names:
            if name not in known:
                raise BadInput(unknown(option, name, known))
    if settings.few_shot_models:  # before any model is asked
        for benchmark in benchmarks.values():
            draw_shots(settings, benchmark, 0)


def _sample_paths(rows: list[tuple[str, str]], folder: Path) -> list[Path]:
    """Where the answers of each model to each benchmark lie."""
    paths = [folder / f"{model}-{title}.parquet" for model, title in rows]
    if len(set(paths)) < len(paths) or any("/" in name for row in rows for name in row):
        models, titles = (", ".join(dict.fromkeys(names)) for names in zip(*rows, strict=True))
        raise BadInput(
            "--model: with --benchmark, names must not clash as file names; found"
            f" {models} and {titles}"
        )
    return paths


def _seen(settings: EvaluateSettings, benchmark: Benchmark) -> dict[str, float]:
    """Problems that stand in training data, and how much of each."""
    found: dict[str, float] = {}
    for path in settings.seen:
        found = _larger(found, found_in(benchmark.texts, texts_of(path)))
    return found


def _larger(some: dict[str, float], others: dict[str, float]) -> dict[str, float]:
    return {name: max(some.get(name, 0.0), others.get(name, 0.0)) for name in {**some, **others}}


def _in_shots(benchmark: Benchmark, shots: Shots) -> dict[str, float]:
    """Problems that stand in the worked examples."""
    texts = [f"{shot.question}\n{shot.solution}" for group in shots.values() for shot in group]
    return found_in(benchmark.texts, texts) if texts else {}


@contextmanager
def _programs(
    settings: EvaluateSettings, benchmarks: dict[str, Benchmark], job: Job
) -> Iterator[Run | None]:
    """What runs programs, where a benchmark or the mode needs it; a sandbox that fails closed."""
    modes = {mode_of(benchmark, settings.mode) for benchmark in benchmarks.values()}
    with ExitStack() as stack:
        if not modes & {"pot", "tool"}:
            yield None
            return
        from seekmath.verify.sandbox import Sandbox

        workers = min(settings.concurrency, os.cpu_count() or 1)
        sandbox = stack.enter_context(Sandbox(workers=workers, unsafe=settings.unsafe))
        job.say(f"sandbox {sandbox.describe()}")
        yield sandbox.run_all
