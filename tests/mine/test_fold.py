"""Folded text is what unicodedata makes of it."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seekmath.mine.fold import fold


@settings(deadline=None)  # the first example compiles
@given(st.text(max_size=40))
@example("…½™ﷺİ")
@example("e\u0301 \u1100\u1161\u11a8 ΑΣ 𝛴 ϹΑ")
@example("\ud800 lone")
def test_fold_is_nfkc_and_lower(text):
    whole = unicodedata.normalize("NFKC", text).lower()
    assert "".join(map(chr, fold(text))) == whole


@pytest.mark.parametrize("plane", range(4))
def test_every_character_folds_alone_and_after_a_letter(plane):
    points = [p for p in range(plane << 16, (plane + 1) << 16) if not 0xD800 <= p < 0xE000]
    for at in range(0, len(points), 64):
        text = "".join(f"a{chr(point)} " for point in points[at : at + 64])
        assert "".join(map(chr, fold(text))) == unicodedata.normalize("NFKC", text).lower()
