from hypothesis import given
from hypothesis import strategies as st

from seekmath.corpus.steps import step_ends


def test_a_step_is_a_line_with_something_on_it(tokenizer):
    text = "first = 1\n\nsecond = 2\n#### 3"
    ids = [*tokenizer.encode(text), tokenizer.eos_id]
    ends = step_ends(tokenizer, ids)
    starts = [0, *(end + 1 for end in ends[:-1])]
    steps = [tokenizer.decode(ids[s : e + 1]).strip() for s, e in zip(starts, ends, strict=True)]
    assert steps == ["first = 1", "second = 2", "#### 3"]
    assert ends[-1] == len(ids) - 1


@given(st.text("ab1\n ", max_size=30), st.booleans())
def test_ends_rise_and_the_last_is_the_last_token(tokenizer, text, ended):
    ids = [*tokenizer.encode(text), *([tokenizer.eos_id] if ended else [])]
    ends = step_ends(tokenizer, ids)
    assert ends == sorted(set(ends))
    assert bool(ids) == bool(ends)
    assert not ids or ends[-1] == len(ids) - 1
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    assert len(ends) == max(lines, min(1, len(ids)))
