"""MinHash against datasketch's and exact Jaccard."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seekmath.mine.dedup import shingles, signature

WORDS = [f"w{n}" for n in range(400)]


def test_signatures_estimate_jaccard():
    rng = np.random.default_rng(0)
    for changed in (0, 20, 60, 150):
        first = rng.choice(WORDS, 400)
        second = first.copy()
        second[:changed] = rng.choice(WORDS, changed)
        a, b = (shingles(" ".join(text), 5) for text in (first, second))
        exact = len(np.intersect1d(a, b)) / len(np.union1d(a, b))
        estimate = (signature(a, 1024) == signature(b, 1024)).mean()
        assert abs(exact - estimate) < 0.06


@given(st.lists(st.sampled_from(WORDS), min_size=5, max_size=60))
def test_the_signature_is_a_function_of_the_set(words):
    grams = shingles(" ".join(words), 5)
    again = np.concatenate([grams[::-1], grams])
    assert np.array_equal(signature(grams), signature(again))
