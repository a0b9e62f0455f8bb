"""Pages scored per CPU second: one weight for each feature, against fastText's predict.

The real fastText trains a model with the paper's settings (dim 256, 3-grams, 2,000,000 buckets) on
pages of the embedded world; the same model is then asked for the same pages by its own predict and
collapsed, in turn. One core, CPU time, median of the repeats:

    python benchmarks/recall_scoring.py

The figures go to benchmarks/results/recall-scoring-DATE.json.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from recall_training import labelled_pages, save_results, train_theirs

from seekmath.mine.fasttext_score import Classifier


def collapsed(model: Any) -> Classifier:
    """The real model as one weight for each of its rows."""
    output = np.asarray(model.f.getOutputMatrix())
    at = model.get_labels().index("__label__math")
    weights = np.asarray(model.f.getInputMatrix()) @ (output[at] - output[1 - at])
    return Classifier(tuple(model.get_words()), weights.astype(np.float32), 3, known_only=False)


def cpu_s(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=6000, help="pages of the world")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    texts, math, _ = labelled_pages(given.pages)
    with tempfile.TemporaryDirectory() as folder:
        model = train_theirs(Path(folder) / "train.txt", texts[:500], math[:500])
    mine = collapsed(model)
    array = pa.array(texts)
    some = texts[: max(len(texts) // 10, 1)]  # predict is slow; a tenth of the pages will do
    mine.score(array[:1])
    model.predict(some[0])
    theirs_s, ours_s = [], []
    for _ in range(given.repeats):
        theirs_s.append(cpu_s(lambda: [model.predict(text) for text in some]) / len(some))
        ours_s.append(cpu_s(lambda: mine.score(array)) / len(texts))
    theirs = []
    for text in some:
        labels, values = model.predict(text, k=2)
        theirs.append(values[list(labels).index("__label__math")])
    file = io.BytesIO()
    mine.write(file)
    ours_rate, theirs_rate = (1 / statistics.median(one) for one in (ours_s, theirs_s))
    save_results(
        "recall-scoring",
        {
            "pages": len(texts),
            "words_per_page": round(sum(len(t.split()) for t in texts) / len(texts)),
            "ours_pages_per_cpu_s": round(ours_rate),
            "fasttext_pages_per_cpu_s": round(theirs_rate),
            "ratio": round(ours_rate / theirs_rate, 1),
            "largest_difference_of_probability": float(
                np.abs(mine.score(some) - np.array(theirs)).max()
            ),
            "model_file_bytes": file.tell(),
        },
    )


if __name__ == "__main__":
    main()
