"""Recall: a classifier trained on seeds against random pages (section 2.1)."""

# N pages

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seekmath.core.seeds import rng
from seekmath.mine.calibration import fit_line, reliability
from seekmath.mine.fasttext_score import Classifier, probability
from seekmath.mine.fasttext_train import (
    TrainingPlan,
    choose_words,
    log_odds,
    train,
    training_order,
)
from seekmath.mine.numbered_texts import NumberedTexts, number_words
from seekmath.mine.settings import MineSettings

_TRAINING = (
    "dim",
    "width",
    "learning_rate",
    "word_ngrams",
    "min_count",
    "epochs",
    "least_updates",
    "buckets",
    "least_hosts",
)
_FOLDS = 5
_ENOUGH_HELD_OUT = 10_000


def training_settings(settings: MineSettings) -> dict[str, Any]:
    """The settings that decide a classifier, as JSON."""
    return settings.model_dump(include=set(_TRAINING))


def training_plan(settings: Mapping[str, Any], seed: int, pages: int) -> TrainingPlan:
    """The hyperparameters, with more epochs where training pages are few.

    Args:
        settings: of ``training_settings``.
        seed: of this round.
        pages: how many are trained on.
    """
    needed = math.ceil(settings["least_updates"] / max(pages, 1))
    return TrainingPlan(
        settings["dim"],
        settings["width"],
        settings["learning_rate"],
        settings["word_ngrams"],
        settings["min_count"],
        max(settings["epochs"], needed),
        settings["buckets"],
        seed,
    )


def train_on(
    texts: Iterable[str],
    hosts: NDArray[np.int64],
    positive: NDArray[np.bool_],
    plan: TrainingPlan,
    least_hosts: int,
) -> tuple[Classifier, dict[str, Any]]:
    """Train a classifier; also how reliable its scores are.

    Args:
        texts: words of each training page, parted by spaces; read once.
        hosts: the number of the host of each.
        positive: whether each is a seed.
        plan: the hyperparameters.
        least_hosts: words on fewer hosts are left out.
    """
    numbered = number_words(texts)
    row_of = choose_words(numbered, hosts, plan.min_count, least_hosts)
    order = training_order(positive, np.arange(len(numbered)), plan.seed)
    model = train(numbered, row_of, positive, order, plan)
    return model, _calibration(numbered, row_of, positive, plan)


def _calibration(
    numbered: NumberedTexts,
    row_of: NDArray[np.int32],
    positive: NDArray[np.bool_],
    plan: TrainingPlan,
) -> dict[str, Any]:
    """Reliability on pages held out, before and after a line is fitted through their log-odds.

    The training pages are cut at random in five folds; each is scored by a classifier trained on
    the others, until 10,000 pages are scored.
    """
    held, found = [], []
    fold_of = rng(plan.seed, "folds").permutation(np.arange(len(positive)) % _FOLDS)
    for fold in range(_FOLDS):
        others, texts = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        if not 0 < positive[others].sum() < len(others) or not len(texts):
            continue
        order = training_order(positive, others, plan.seed)
        model = train(numbered, row_of, positive, order, plan)
        held.append(texts)
        found.append(log_odds(model, numbered, row_of, texts))
        if sum(map(len, held)) >= _ENOUGH_HELD_OUT:
            break
    if not held:
        return {}
    label, odds = positive[np.concatenate(held)], np.concatenate(found)
    line = fit_line(odds, label)
    return {
        "method": f"held out in {len(held)} of {_FOLDS} folds; Platt's line",
        "pages": len(label),
        "slope": round(line.slope, 4),
        "intercept": round(line.intercept, 4),
        "raw": reliability(probability(odds), label),
        "calibrated": reliability(probability(line(odds)), label),
    }
