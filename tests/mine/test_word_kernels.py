"""Compiled words are those of the regular expressions that say what a word is."""

import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.words import CJK
from seekmath.mine.word_kernels import count_and_score, count_words

WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
SCORED = re.compile(rf"\\[a-z]+|[{CJK}]|[^\W\d_{CJK}]+|\d+(?:[.,]\d+)*|[$^_=+]")
TEXTS = st.text("ab\\\\1２ .,$^_=+数学ΣéÉ½ßİﬁ_z\n") | st.text(max_size=40)


def by_expressions(text, most):
    folded = unicodedata.normalize("NFKC", text).lower()
    found = []
    for word in SCORED.findall(folded[: most * 40])[:most]:
        whole = re.split(r"[.,]", word)[0]
        found.append("0" * min(len(whole), 5) if word[0].isdecimal() else word)
    return len(WORD.findall(folded)), " ".join(found)


@settings(deadline=None)  # the first call compiles
@given(TEXTS, st.integers(1, 12))
def test_words_are_those_of_the_expressions(text, most):
    assert count_and_score(text, most) == by_expressions(text, most)
    assert count_words(text) == by_expressions(text, most)[0]


def test_years_are_one_word_and_decimals_and_thousands_belong_to_their_number():
    assert count_and_score("In 1987, 2019 and 7: \\frac{1,000.5}{x_2}", 50) == (
        11,
        "in 0000 0000 and 0 \\frac 0 x _ 0",
    )
