"""The compiled words are those of ``core.words.plain_words``."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from seekmath.core.words import plain_words
from seekmath.mine.plain import PlainHasher

PIECES = [
    *"xyzab 2579,.*{}<>/\\_=é中の・٣ǅß²",
    *("\n", "  ", "{,}", "\\,", "000", "123", "1,000", "\\frac", "\\text*", "</b>", "<i class=1>"),
    *("<" + "a" * 200 + ">", "<" + "a" * 201 + ">", "<" + "a" * 202 + ">", "x y", "求", "word"),
]
mixed = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)


def hashes_of_words(words):
    hasher = PlainHasher()
    return [hasher.hash(word)[0].tolist() for word in words]


@settings(deadline=None, max_examples=200)
@given(mixed | st.text(max_size=40))
@example("\\5,000 5\\,000 \\éx y x\\alpha y \\\nx 求x y x・y")
@example("5\\\\,000 1,<b>000 \\<b>x <a\n>b 1,0000 12,345,678")
@example("x y\nz w <p>a b</p> c<br>d")
def test_words_and_lines_are_those_of_the_reference(text):
    hashes, lines = PlainHasher().hash(text)
    words = plain_words(text)
    assert [[one] for one in hashes.tolist()] == hashes_of_words(words)
    by_line = [plain_words(line) for line in text.split("\n")]
    assert [word for found in by_line for word in found] == words
    assert lines.tolist() == [at for at, found in enumerate(by_line) for _ in found]


def test_memory_is_used_again_and_different_words_differ():
    hasher = PlainHasher()
    first = hasher.hash("one two " * 50)[0].copy()
    assert len(set(first.tolist())) == 2
    assert hasher.hash("two one")[0].tolist() == first[[1, 0]].tolist()
