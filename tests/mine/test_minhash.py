"""MinHash against datasketch's and exact Jaccard; its words against a regular expression."""

import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.words import CJK
from seekmath.mine.minhash import EMPTY, shingles, signatures

WORDS = [f"w{n}" for n in range(400)]
WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")


def grams(text, n=5):
    units = WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]


def jaccard(first, second):
    a, b = set(grams(first)), set(grams(second))
    return len(a & b) / len(a | b)


def pair(rng, changed):
    first = rng.choice(WORDS, 400)
    second = first.copy()
    at = rng.integers(0, 400 - changed + 1)
    second[at : at + changed] = rng.choice(WORDS, changed)
    return " ".join(first), " ".join(second)


def test_signatures_estimate_jaccard():
    rng = np.random.default_rng(0)
    for changed in (0, 20, 60, 150):
        first, second = pair(rng, changed)
        a, b = signatures([first, second], 5, 2048)
        assert abs(jaccard(first, second) - (a == b).mean()) < 0.045


def test_the_error_is_no_larger_than_that_of_datasketch():
    from datasketch import MinHash

    rng = np.random.default_rng(1)
    ours, theirs = [], []
    for changed in rng.integers(5, 120, 60).tolist():
        texts = pair(rng, changed)
        exact = jaccard(*texts)
        a, b = signatures(texts)
        ours.append((a == b).mean() - exact)
        peers = [MinHash(112), MinHash(112)]
        for text, peer in zip(texts, peers, strict=True):
            peer.update_batch([" ".join(gram).encode() for gram in grams(text)])
        theirs.append(peers[0].jaccard(peers[1]) - exact)
    assert abs(np.mean(ours)) < 0.015
    assert np.std(ours) < 1.3 * np.std(theirs)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=5, max_size=60))
def test_the_signature_is_a_function_of_the_set(words):
    once = " ".join(words)
    # Twice the text holds the same grams and those across the seam.
    seam = [*words[-4:], *words[:4]]
    again = signatures([f"{once} {once}"])[0]
    parts = signatures([once, " ".join(seam)])
    assert np.array_equal(again, parts.min(axis=0))


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(1, 6))
def test_equal_words_are_equal_shingles_in_every_script(text, n):
    units = WORD.findall(unicodedata.normalize("NFKC", text).lower())
    assert len(shingles(text, n)) == max(len(units) - n + 1, 0)
    assert np.array_equal(shingles(text, n), shingles(" ".join(units), n))


def test_different_words_are_different_shingles():
    rng = np.random.default_rng(2)
    letters = np.array(list("abcdefghij0123456789éжд数形"))
    found = {"".join(rng.choice(letters, length)) for length in rng.integers(1, 30, 20_000)}
    units = {unit for word in found for unit in WORD.findall(word)}
    hashes = shingles("\n".join(sorted(units)), 1)
    # 32 bits: 20,000 words are expected to collide 0.05 times.
    assert len(np.unique(hashes)) >= len(units) - 2


def test_chinese_is_compared_by_characters():
    text = "直线与圆相交于两点求弦长的最大值和最小值"
    assert len(shingles(text, 5)) == len(text) - 4


def test_a_text_shorter_than_a_shingle_is_empty():
    assert (signatures(["", "four words are few"]) == EMPTY).all()


@pytest.mark.skipif(os.name != "posix", reason="folders without write permission are posix")
def test_kernels_compile_once_also_where_the_install_is_read_only(tmp_path):
    package = tmp_path / "site" / "seekmath"
    source = Path(sys.modules["seekmath"].__file__).parent
    (package / "mine").mkdir(parents=True)
    (package / "core").mkdir()
    for name in ("__init__.py", "mine/__init__.py", "core/__init__.py", "core/compiled.py"):
        (package / name).write_text((source / name).read_text())
    kernel = (
        "from seekmath.core.compiled import kernel\n\n\n@kernel\ndef one(x):\n    return x + 1\n"
    )
    (package / "mine" / "one.py").write_text(kernel)
    (package / "mine" / "__pycache__").write_text("a file where numba's folder would be")
    program = (
        "from seekmath.mine.one import one; one(1); s = one.stats; "
        "print(sum(s.cache_hits.values()), sum(s.cache_misses.values()))"
    )
    # No home, and no folder beside the source: all that is left is the temporary folder.
    (tmp_path / "home").write_text("a file")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(tmp_path / "home" / "nobody"),
        "TMPDIR": str(tmp_path),
    }
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        for _ in range(2)
    ]
    assert [run.stdout.split() for run in runs] == [["0", "1"], ["1", "0"]], runs[0].stderr
    assert (tmp_path / f"seekmath-kernels-{os.getuid()}").stat().st_mode & 0o077 == 0
