"""A function of one's own in place of fastText: checked, and its faults told in plain words."""

import re

import numpy as np
import pyarrow as pa
import pytest

from seekmath.core.files import BadInput
from seekmath.mine.scorer import user_scorer

from ..conftest import ROOT
from .real_fasttext import train_real

TEXTS = pa.array(["a proof", "a recipe", ""])


def scorer(tmp_path, code):
    path = tmp_path / "mine.py"
    path.write_text(code, "utf-8")
    return user_scorer(str(path))


@pytest.mark.parametrize(
    "code",
    [
        "def score(texts): return ['proof' in text for text in texts]",
        "import numpy as np\ndef score(texts): return np.array([1, 0, 0])",
    ],
)
def test_lists_and_arrays_are_taken(tmp_path, code):
    assert scorer(tmp_path, code)(TEXTS).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def score(texts): return [1, 0]", "needed: 3 numbers from 0 to 1"),
        ("def score(texts): return [1, 0, 4.5]", r"4\.5 \(a log-odds x becomes one"),
        ("def score(texts): return [1, 0, float('nan')]", "nan"),
        ("def score(texts): return 'high'", "found: str"),
        ("def score(texts): return [[1], [0], [1]]", r"shape \(3, 1\)"),
        ("def score(texts): return texts[9]", "fails on 3 texts: IndexError"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path, code, told):
    with pytest.raises(BadInput, match=told):
        scorer(tmp_path, code)(TEXTS)


def test_a_file_without_the_function_is_refused(tmp_path):
    with pytest.raises(BadInput, match="has no function 'score'"):
        scorer(tmp_path, "def rate(texts): return []")
    with pytest.raises(BadInput, match="fails when it is loaded: ZeroDivisionError"):
        scorer(tmp_path, "1 / 0")
    with pytest.raises(BadInput, match="no such file"):
        user_scorer(str(tmp_path / "none.py"))


def test_a_model_of_the_real_fasttext_scores_as_the_documentation_says(tmp_path):
    pytest.importorskip("fasttext", reason="the package fasttext-numpy2")
    lines = [
        "__label__math let x be prime so the proof ends",
        "__label__other stir the soup and eat",
    ]
    (tmp_path / "train.txt").write_text("\n".join(lines * 500))
    model = train_real(
        tmp_path / "train.txt", dim=16, minCount=1, epoch=5, lr=0.1, wordNgrams=2, bucket=1 << 20
    )
    pages = (ROOT / "docs/mining.md").read_text("utf-8")
    code = re.search(r"```python\n(# my_scorer.py.*?)```", pages, re.S)[1]
    score = scorer(tmp_path, code.replace("math.bin", str(tmp_path / "train.bin")))
    texts = ["let x be\n\nprime", "stir soup", "", "nothing known"]
    found = score(pa.array(texts))
    alone = [dict(zip(*model.predict(" ".join(t.split()), k=-1), strict=True)) for t in texts]
    expected = [min(one.get("__label__math", 0.0), 1.0) for one in alone]
    assert np.allclose(found, expected, atol=1e-6)
    assert found[0] > 0.9 > 0.1 > found[1]
