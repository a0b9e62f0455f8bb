"""Grading beside math-verify: agreement with recorded cases, wordings of gold answers, time.

    python benchmarks/grading.py ../shared/data

Ours is measured on everything; the peer, a hundred times slower, on every N-th wording and on the
first recorded outputs, where ours is measured again in the same run, in turn with it. Each pair is
timed by itself in CPU time. Golds go to the peer between dollars, as its documentation says.
"""

import argparse
import collections
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from math_verify import (
    ExprExtractionConfig,
    LatexExtractionConfig,
    StringExtractionConfig,
    parse,
    verify,
)
from timing import save
from wordings import golds, pairs

from seekmath.core.files import read_jsonl
from seekmath.verify.compare import Rules
from seekmath.verify.grade import grade

_CASES = (
    "math_verify_tests",
    "lighteval_extractive_tests",
    "deepseek_math_gold_selfcheck",
    "hostile_inputs",
)
_CONFIGS = {"latex": LatexExtractionConfig(), "expr": ExprExtractionConfig()}
_HANGS_AFTER_S = 12
Pair = dict[str, Any]


def ours(pair: Pair) -> bool | None:
    options = pair.get("options", {})
    rules = Rules(
        places=options.get("precision", 3),
        renamed=not options.get("strict", True),
        ranges=options.get("allow_set_relation_comp", True),
    )
    return grade(pair["gold"], pair["prediction"], choices=pair.get("choices"), rules=rules).verdict


def peer(pair: Pair) -> bool:
    options = pair.get("options", {})
    if pair.get("choices"):
        letters = tuple("ABCDEFGHIJ"[: len(pair["choices"])])
        configs: list[Any] = [StringExtractionConfig(strings=letters)]
        gold = pair["gold"]
    else:
        kinds = options.get("match_types", ["latex", "expr"])
        configs = [_CONFIGS[kind] for kind in kinds if kind in _CONFIGS]
        dressed = (
            pair.get("kind") == "text_pair" or "$" in pair["gold"] or "\\boxed" in pair["gold"]
        )
        gold = pair["gold"] if dressed else f"${pair['gold']}$"
    given = {
        "float_rounding": options.get("precision", 6),
        "strict": options.get("strict", True),
        "allow_set_relation_comp": options.get("allow_set_relation_comp", False),
    }
    return bool(verify(parse(gold, configs), parse(pair["prediction"], configs), **given))


def timed(judge: Callable[[Pair], bool | None], pair: Pair) -> tuple[bool | None, float]:
    start = time.process_time()
    verdict = judge(pair)
    return verdict, time.process_time() - start


def case_pairs(data: Path, name: str) -> Iterator[Pair]:
    for case in read_jsonl(data / f"grader_cases/{name}.jsonl.gz"):
        options = dict(case["options"])
        choices = options.get("choices") or (["", "", "", ""] if case["kind"] == "choice" else None)
        yield {
            "id": case["id"], "gold": case["gold"], "prediction": case["pred"],
            "kind": case["kind"],
            "expected": bool(case["expected"]), "contested": case.get("contested"),
            "options": options, "choices": choices,
        }  # fmt: skip


def cases(data: Path, name: str) -> dict[str, Any]:
    """Agreement of both with the uncontested cases, and where ours differs."""
    right: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    found = [pair for pair in case_pairs(data, name) if not pair["contested"]]
    differs, gained = [], []
    for pair in found:
        verdict, seconds = timed(ours, pair)
        slowest = max(slowest, seconds)
        theirs = within(peer, pair) if name == "hostile_inputs" else peer(pair)
        right["ours"] += bool(verdict) == pair["expected"]
        right["math-verify"] += theirs == pair["expected"]
        if bool(verdict) != pair["expected"]:
            differs.append({key: pair[key][-200:] for key in ("id", "gold", "prediction")})
            if theirs == pair["expected"]:
                gained.append(pair["id"])
    return {
        "cases": len(found),
        "ours": right["ours"] / len(found),
        "math-verify": right["math-verify"] / len(found),
        "slowest_of_ours_s": slowest,
        "ours_differs": differs,
        "of_these_math_verify_agrees": gained,
    }


def within(judge: Callable[[Pair], bool | None], pair: Pair) -> bool | None:
    """The verdict from a process that is killed where it hangs; None then."""
    context = multiprocessing.get_context("fork")
    verdicts = context.Queue()
    child = context.Process(target=lambda: verdicts.put(judge(pair)))
    child.start()
    child.join(_HANGS_AFTER_S)
    if child.is_alive() or child.exitcode != 0:
        child.kill()
        child.join()
        return None
    return verdicts.get()


def wordings(data: Path, every: int) -> dict[str, Any]:
    """Right wordings accepted and wrong ones accepted; the peer on a sample."""
    tallies = {"ours": Tally(), "ours, sampled": Tally(), "math-verify, sampled": Tally()}
    sympy_gains: list[dict[str, str]] = []
    missed = []
    for number, pair in enumerate(
        pair for gold in dict.fromkeys(golds(data)) for pair in pairs(gold)
    ):
        verdict, seconds = timed(ours, pair)
        tallies["ours"].add(pair, verdict, seconds)
        wrong = verdict is not pair["expected"]
        if wrong:
            missed.append({key: str(pair[key])[-160:] for key in ("gold", "prediction", "kind")})
        if number % every == 0 or wrong:
            theirs, their_seconds = timed(peer, pair)
            if number % every == 0:
                tallies["ours, sampled"].add(pair, verdict, seconds)
                tallies["math-verify, sampled"].add(pair, theirs, their_seconds)
            if wrong and theirs == pair["expected"]:
                sympy_gains.append(missed[-1])
    return {
        **{name: tally.figures() for name, tally in tallies.items()},
        "ours_differs": missed,
        "of_these_math_verify_agrees": sympy_gains,
    }


class Tally:
    """Counts of right and wrong wordings by verdict, and the CPU time of each pair."""

    def __init__(self) -> None:
        self.counts: collections.Counter[tuple[bool, bool | None]] = collections.Counter()
        self.seconds: list[float] = []
        self.by_benchmark: collections.Counter[tuple[str, bool]] = collections.Counter()

    def add(self, pair: Pair, verdict: bool | None, seconds: float) -> None:
        self.counts[pair["expected"], verdict] += 1
        self.seconds.append(seconds)
        agrees = bool(verdict) == pair["expected"]
        self.by_benchmark[pair["benchmark"], agrees] += 1

    def figures(self) -> dict[str, Any]:
        right = sum(n for (expected, _), n in self.counts.items() if expected)
        names = sorted({name for name, _ in self.by_benchmark})
        return {
            "right_wordings": right,
            "right_accepted": self.counts[True, True] / max(right, 1),
            "wrong_wordings": sum(self.counts.values()) - right,
            "wrong_accepted": self.counts[False, True],
            "undecided": sum(n for (_, verdict), n in self.counts.items() if verdict is None),
            "agreement_by_benchmark": {
                name: self.by_benchmark[name, True]
                / (self.by_benchmark[name, True] + self.by_benchmark[name, False])
                for name in names
            },
            **spread(self.seconds),
        }


def spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "pairs": len(ordered),
        "pairs_per_cpu_second": len(ordered) / sum(ordered),
        "median_ms": 1000 * statistics.median(ordered),
        "p99_ms": 1000 * ordered[int(0.99 * len(ordered))],
        "slowest_ms": 1000 * ordered[-1],
    }


def recorded(data: Path) -> dict[str, list[Pair]]:
    """Recorded outputs of real models with the flags they were published with."""
    rows = read_jsonl(data / "outputs/gsm8k_example_model_solutions.jsonl.gz")
    gsm8k = [
        {"gold": row["ground_truth"], "prediction": said["solution"], "model": model,
         "recorded": said["is_correct"], "id": number}
        for number, row in enumerate(rows)
        for model, said in row.items()
        if isinstance(said, dict) and "solution" in said
    ]  # fmt: skip
    math = [
        {"gold": row["gt"], "prediction": said, "model": "math_cot_100x8",
         "recorded": flag, "id": f"{row['idx']}/{k}"}
        for row in read_jsonl(data / "outputs/math_cot_100x8.jsonl.gz")
        for k, (said, flag) in enumerate(zip(row["code"], row["score"], strict=True))
    ]  # fmt: skip
    return {"gsm8k_example_model_solutions": gsm8k, "math_cot_100x8": math}


def outputs(found: Iterable[Pair], most: int) -> dict[str, Any]:
    """Right answers by model, where ours and the recorded flags differ, and the time of both."""
    right: collections.Counter[str] = collections.Counter()
    differs: list[dict[str, Any]] = []
    seconds: dict[str, list[float]] = {"ours": [], "ours, sampled": [], "math-verify, sampled": []}
    for number, pair in enumerate(found):
        verdict, spent = timed(ours, pair)
        seconds["ours"].append(spent)
        right[pair["model"]] += verdict is True
        if verdict is not pair["recorded"]:
            tail = pair["prediction"][-120:]
            differs.append(
                {"id": pair["id"], "gold": pair["gold"][-80:], "ends": tail, "ours": verdict}
            )
        if number < most:
            seconds["ours, sampled"].append(spent)
            seconds["math-verify, sampled"].append(timed(peer, pair)[1])
    ratio = statistics.median(seconds["math-verify, sampled"]) / statistics.median(
        seconds["ours, sampled"]
    )
    return {
        "right": dict(right),
        "differs_from_recorded": differs,
        "times_as_fast": ratio,
        **{name: spread(times) for name, times in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the real data")
    parser.add_argument("--every", type=int, default=251, help="N-th wording for the peer")
    parser.add_argument("--most", type=int, default=240, help="recorded outputs for the peer")
    given = parser.parse_args()
    found = {
        "cases": {name: cases(given.data, name) for name in _CASES[:2]},
        "outputs": {
            name: outputs(pairs, given.most) for name, pairs in recorded(given.data).items()
        },
        "wordings": wordings(given.data, given.every),
    }
    found["cases"] |= {name: cases(given.data, name) for name in _CASES[2:]}
    save("grading", found, ("math-verify", "sympy", "mpmath"))


if __name__ == "__main__":
    main()
