"""The compiled count of words gives what splitting and looking up gives."""

import re

from hypothesis import given
from hypothesis import strategies as st

from seekmath.mine.language import language_of

COMMON = "the of and to in is for that with are be this as on by a an".split()


def by_splitting(text: str) -> str:
    tokens = text[:4000].lower().split()
    words = sum(map(str.isalpha, tokens))
    hanzi = len(re.findall(r"[\u4e00-\u9fff]", text[:4000]))
    if hanzi > 0.3 * (hanzi + words):
        return "zh"
    return "en" if sum(t in COMMON for t in tokens) >= 0.06 * max(1, words) else "other"


PIECES = st.sampled_from([*COMMON, "The", "OF", "sum", "naïve", "x1", "证明", "中", "Σας", "don't"])
SPACES = st.sampled_from([" ", "\n", "  ", "\u3000", "\xa0", "\x1c", "\u2028", ""])


@given(st.lists(st.tuples(PIECES, SPACES), max_size=40), st.integers(1, 60))
def test_any_mixture_of_words_spaces_and_scripts(pieces, times):
    text = "".join(piece + space for piece, space in pieces) * times
    assert language_of(text) == by_splitting(text)


@given(st.text())
def test_any_text(text):
    assert language_of(text) == by_splitting(text)
