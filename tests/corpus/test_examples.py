import pytest

from seekmath.corpus.chat import render_example, with_choices
from seekmath.corpus.examples import render_row


def learned(tokenizer, example):
    return tokenizer.decode([token for token, flag in zip(*example, strict=True) if flag])


def turn(role, content):
    return {"role": role, "content": content}


def test_the_formats_of_one_question_agree(tokenizer):
    wanted = render_example(tokenizer, "1+1?", "It is 2.")
    ask, answer = turn("user", "1+1?"), turn("assistant", "It is 2.")
    for row in (
        {"question": "1+1?", "solution": "It is 2."},
        {"messages": [ask, answer]},
        {"prompt": [ask], "completion": [answer]},
    ):
        assert render_row(tokenizer, row) == wanted


def test_of_a_prompt_with_turns_only_the_completion_is_learned(tokenizer):
    prompt = [turn("user", "a?"), turn("assistant", "first"), turn("user", "b?")]
    completion = [turn("assistant", "second"), turn("tool", "42"), turn("assistant", " third")]
    example = render_row(tokenizer, {"prompt": prompt, "completion": completion})
    assert learned(tokenizer, example) == " second third"
    every = render_row(tokenizer, {"messages": prompt + completion})
    assert every[0] == example[0]
    assert learned(tokenizer, every) == " first second third"


def test_texts_stand_as_they_are(tokenizer):
    ids, mask = render_row(tokenizer, {"prompt": "The sky is", "completion": " blue."})
    assert tokenizer.decode(ids) == "The sky is blue."
    assert learned(tokenizer, (ids, mask)) == " blue."
    assert ids[-1] == tokenizer.eos_id
    assert mask[-1]


def test_a_question_brings_its_choices(tokenizer):
    row = {"question": "Which?", "solution": "B", "choices": ["1", "2"]}
    wanted = render_example(tokenizer, with_choices("Which?", ["1", "2"]), "B")
    assert render_row(tokenizer, row) == wanted


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "x"}, "holds none of messages, prompt, question"),
        ({"question": "x"}, "solution: expected a text"),
        ({"prompt": "x", "completion": 3}, "completion: expected a text"),
        ({"messages": []}, "messages: expected"),
        ({"messages": [{"role": "user"}]}, "found {'role': 'user'}"),
        ({"prompt": [{"role": "user", "content": "x"}], "completion": "y"}, "completion: expected"),
    ],
)
def test_a_line_of_no_format_is_named(tokenizer, row, words):
    with pytest.raises(ValueError, match=words):
        render_row(tokenizer, row)
