"""A run directory as the stages leave it, made of nothing but files."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import yaml

from seekmath.core.artifact import Manifest
from seekmath.core.files import write_json, write_jsonl, write_parquet
from seekmath.core.records import SAMPLE

HOSTILE = '</pre><script>document.title="owned"</script><img src=x onerror="document.title=1">'
STAGES = ("world", "mine", "tokenize", "pretrain", "sft", "reward", "grpo", "evaluate")
BENCHMARKS = (
    "mini-cmath", "mini-gaokao-cloze", "mini-gaokao-qa", "mini-gsm8k", "mini-math",
    "mini-mmlu-stem", "mini-ocw", "mini-sat",
)  # fmt: skip


def make_run(folder: Path, hostile: str = "") -> Path:
    """Write a whole run; ``hostile`` text is put wherever a stage passes foreign text on."""
    random = Random(7)
    recipe = {"name": "laptop", "seed": 3, "stages": {name: {"type": name} for name in STAGES}}
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    for number, name in enumerate(STAGES):
        manifest(folder / name, name, 20.0 + 31 * number, {"note": hostile})
    _mine(folder / "mine", hostile)
    _training(folder, random)
    _grpo(folder / "grpo", random, hostile)
    write_json(folder / "evaluate" / "results.json", results(random))
    return folder


def manifest(folder: Path, name: str, wall_s: float, metrics: dict[str, Any], **more: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "stage": name, "type": name, "state": "finished", "fingerprint": "0f" * 12,
        "settings": {"steps": 140, "peak_lr": 4e-4}, "inputs": {}, "seed": 3,
        "versions": {"python": "3.11.9", "seekmath": "0.1.0", "torch": "2.11.0"},
        "machine": "x86_64, 2 cores, 24 GiB, Linux 6.1, cpython",
        "started": "2026-01-02T03:04:05+00:00", "wall_s": wall_s, "peak_memory_mib": 40 * wall_s,
        "metrics": metrics,
    }  # fmt: skip
    Manifest(**{**values, **more}).write(folder)


def _mine(folder: Path, hostile: str) -> None:
    hosts = [("maths.example", 400), ("forum.example" + hostile, 350), ("shop.example", 90)]
    rounds = []
    for number, share in enumerate((0.5, 0.8, 0.85), 1):
        rows = [
            {"host": host, "pages": n, "collected": int(n * share / place),
             "share": round(share / place, 4)}
            for place, (host, n) in enumerate(hosts, 1)
        ]  # fmt: skip
        rounds.append({
            "round": number, "seeds": 200 * number, "negatives": 200 * number, "scored": 9000,
            "collected": int(2000 * share), "new": 900 // number**2,
            "share_already_collected": [0.0, 0.62, 0.981][number - 1], "tokens": 900_000 * number,
            "cut_score": 0.5 + number / 100, "joined": 40,
            "training": {"epochs": 3, "learning_rate": 0.1, "dim": 256},
            "histogram": [{"from": at / 20, "pages": abs(10 - at) ** 3, "tokens": 9 * at}
                          for at in range(20)],
            "calibration": {
                "method": "held out in 5 of 5 folds; Platt's line", "pages": 400,
                "slope": 0.8, "intercept": 0.1, "raw": _reliability(0.1, number),
                "calibrated": _reliability(0.02, number),
            },
            "hosts": rows, "candidates": rows[:2],
            "prefixes": [{"prefix": f"maths.example/{hostile}", "pages": 50, "collected": 40,
                          "share": 0.8}],
            "truth": {"precision": 0.88 + number / 30, "recall": 0.5 + number / 7,
                      "average_precision": 0.7 + number / 12, "math": 2000, "other": 6500},
        })  # fmt: skip
    write_json(folder / "rounds.json", rounds)
    write_json(folder / "funnel.json", [
        {"step": "extract", "kept": 10_200,
         "dropped": {"short": 900, "status not 200": 700, "not HTML" + hostile: 200}},
        {"step": "deduplicate", "kept": 9000, "dropped": {"same_url": 300, "near_duplicate": 900}},
        {"step": "collect", "kept": 1700, "dropped": {"not_collected": 7300}},
        {"step": "decontaminate", "kept": 1688, "dropped": {"benchmark_text": 12}},
    ])  # fmt: skip
    write_json(folder / "contamination.json", {
        "rule": "10-gram; 3 to 9 grams: whole text; shorter: unused", "benchmark_texts": 2400,
        "unused_short_texts": 700, "pages": 1700, "pages_hit": 31, "pages_dropped": 12,
        "segments_dropped": 44,
        "items": [{"benchmark": "mini-gsm8k", "item": "mini-gsm8k/17", "field": "question",
                   "pages": 3, "urls": ["https://forum.example/" + hostile]}],
    })  # fmt: skip


def _reliability(gap: float, number: int) -> dict[str, Any]:
    bins = [{"from": at / 10, "pages": 40, "mean_score": at / 10 + 0.05,
             "positives": max(0.0, at / 10 + 0.05 - gap)} for at in range(10)]  # fmt: skip
    return {"bins": bins, "error": gap / number, "brier": gap}


def _training(folder: Path, random: Random) -> None:
    for name, steps, start in (("pretrain", 900, 7.0), ("sft", 300, 1.1), ("reward", 120, 0.69)):
        rows = []
        for step in range(10, steps + 1, 10):
            loss = start * (0.25 + 0.75 * math.exp(-4 * step / steps)) + random.gauss(0, 0.02)
            rate = 3e-3 * min(1, step / 50) * (1 if step < 0.8 * steps else 0.316)
            row = {"step": step, "time": 0.0, "loss": loss, "learning_rate": rate,
                   "grad_norm": 1.0, "tokens_per_s": 9000.0}  # fmt: skip
            if name == "pretrain" and step % 100 == 0:
                row |= {"heldout_loss": loss + 0.1, "heldout_loss/web": loss,
                        "bits_per_byte": loss / 2, "bits_per_byte/web": loss / 1.8,
                        "bits_per_byte/problems": loss / 2.3}  # fmt: skip
            rows.append(row)
        write_jsonl(folder / name / "metrics.jsonl", rows)
    heldout = {"heldout_accuracy": 0.81, "heldout_base_rate": 0.53, "heldout_samples": 1600.0,
               "heldout_auc": 0.87}  # fmt: skip
    write_json(folder / "reward" / "results.json", heldout)


def _grpo(folder: Path, random: Random, hostile: str) -> None:
    rows = []
    for step in range(1, 141):
        reward = 0.52 + 0.12 * step / 140 + random.gauss(0, 0.06)
        rows.append({
            "step": step, "time": 0.0, "reward_mean": reward, "right": reward,
            "kl": 0.0004 * step + abs(random.gauss(0, 0.004)), "entropy": 0.3 - step / 1000,
            "completion_length": 44 + random.gauss(0, 2), "zero_variance_groups":
            random.randint(2, 9), "rollout_s": 0.6, "reward_s": 0.02, "update_s": 0.5,
            "step_s": 1.12, "completions": 128, "completion_tokens": 5600,
        })  # fmt: skip
    write_jsonl(folder / "metrics.jsonl", rows)
    for step in (1, 10, 70, 140):
        verdicts = ([True, False] * 4, [True] * 8, [False] * 7 + [True], [False] * 8)
        samples = [row for number, group in enumerate(verdicts)
                   for row in _rollout(number, group, hostile)]  # fmt: skip
        write_parquet(folder / "rollouts" / f"step-{step:05d}.parquet", samples, SAMPLE)


def _rollout(number: int, verdicts: list[bool], hostile: str) -> list[dict[str, Any]]:
    mean = sum(verdicts) / len(verdicts)
    std = math.sqrt(mean * (1 - mean))
    return [
        {
            "problem_id": f"gsm8k/{number}", "benchmark": "", "k": k,
            "prompt": f"User: Ann has {number + 7} pens. Bo has twice as many. How many have"
            f" they together?{hostile}\n\nAssistant: ",
            "completion": f"Bo has {2 * number + 14} pens.\n"
            f"Together {number + 7} + {2 * number + 14} = {3 * number + 21 - (not right)}.\n"
            f"#### {3 * number + 21 - (not right)}{hostile}",
            "token_ids": [5, 6, 7], "logprobs": [-0.1] * 3, "stop_reason": "stop",
            "extracted": str(3 * number + 21 - (not right)), "verdict": right, "reason": "exact",
            "gold": str(3 * number + 21), "rewards": [float(right)], "step_ends": [2],
            "advantages": [(right - mean) / std if std else 0.0] * 3,
        }
        for k, right in enumerate(verdicts)
    ]  # fmt: skip


def results(random: Random) -> dict[str, dict[str, float]]:
    found = {}
    for place, model in enumerate(("pretrain", "sft", "grpo")):
        for benchmark in BENCHMARKS:
            n = 500 if benchmark == "mini-gsm8k" else 100
            base = (0.31, 0.53, 0.64)[place] * (1 if n == 500 else random.uniform(0.3, 1.1))
            found[f"{model}/{benchmark}/greedy"] = _estimate(base, n)
        for k in (1, 2, 4, 8, 16):
            passed = 1 - (1 - (0.3, 0.53, 0.64)[place]) ** (k ** (0.9 - place / 7))
            found[f"{model}/mini-gsm8k/pass@{k}"] = _estimate(passed, 500)
            voted = (0.3, 0.53, 0.64)[place] + 0.02 * math.log2(k)
            found[f"{model}/mini-gsm8k/maj@{k}"] = _estimate(voted, 500)
    return found


def _estimate(value: float, n: int) -> dict[str, float]:
    half = 1.96 * math.sqrt(value * (1 - value) / n)
    return {"value": value, "low": max(0, value - half), "high": min(1, value + half), "n": n}


def append_text(path: Path, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


def edit_json(path: Path, **changes: Any) -> None:
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, **changes}))
