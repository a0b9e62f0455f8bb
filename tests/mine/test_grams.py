"""Every gram of a benchmark is found, and nothing else: against sets of tuples."""

from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.words import GRAM, gram_length, plain_words
from seekmath.mine.grams import GramIndex, Match

# Few words, so that long grams come again by chance.
SENTENCE = st.lists(st.sampled_from(["one", "two", "three", "求", "7"]), max_size=40)
texts = SENTENCE.map(" ".join)


def expected(benchmark, text):
    """What the rule says, word for word."""
    words = plain_words(text)
    found = {}
    for number, one in enumerate(map(plain_words, benchmark)):
        length = gram_length(one)
        theirs = {tuple(one[at : at + length]) for at in range(len(one) - length + 1)}
        for start in range(len(words) - length + 1) if length else ():
            if tuple(words[start : start + length]) in theirs:
                found.setdefault((start, length), []).append(number)
    return {Match(start, length, tuple(owners)) for (start, length), owners in found.items()}


@settings(deadline=None, max_examples=150)
@given(st.lists(texts, max_size=8), texts)
def test_matches_are_those_of_the_rule(benchmark, text):
    found, lines = GramIndex(benchmark).matches(text)
    distinct = {Match(one.start, one.length, tuple(sorted(set(one.texts)))) for one in found}
    assert distinct == expected(benchmark, text)
    assert len(lines) == len(plain_words(text))


def test_a_hash_that_collides_is_no_match(monkeypatch):
    index = GramIndex(["a b c said plainly in ten words or more of text"])
    monkeypatch.setattr(index, "_words", [("other",) * 11])
    assert index.matches("a b c said plainly in ten words or more of text")[0] == []


def test_more_matches_than_there_is_room_for(monkeypatch):
    text = " ".join(["again"] * 3000)
    found, _ = GramIndex([text]).matches(text)
    assert [one.start for one in found] == list(range(3000 - GRAM + 1))


def test_short_texts_are_matched_whole_and_shorter_ones_not_at_all():
    index = GramIndex(["find the value", "no more", "1 2 3", "what is seven plus five"])
    found, _ = index.matches("no more: find the value 1 2 3, what is seven plus six")
    assert found == [Match(2, 3, (0,))]
    assert [index.gram_length(number) for number in range(4)] == [3, 0, 0, 5]


def test_no_benchmark_matches_nothing():
    assert GramIndex([]).matches("a text that is long enough to hold a gram of ten words")[0] == []
