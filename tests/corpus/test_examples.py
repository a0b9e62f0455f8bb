import pytest

from seekmath.corpus.chat import render_example, with_choices
from seekmath.corpus.examples import render_row
from seekmath.corpus.template import ChatTemplate


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


@pytest.mark.parametrize("field", ["statement", "formal_statement"])
def test_a_formal_proof_is_asked_for_with_its_informal_side(tokenizer, field):
    row = {field: "Theorem t : 1 = 1.", "formal_proof": "  reflexivity.\n"}
    wanted = render_example(tokenizer, "Formal:\nTheorem t : 1 = 1.", "reflexivity.")
    assert render_row(tokenizer, row) == wanted
    said = {"informal_statement": "One is one.", "informal_proof": "Clear."}
    ids, mask = render_row(tokenizer, {**row, **said})
    assert "One is one.\n\n### Solution\n\nClear. *)" in tokenizer.decode(ids)
    assert learned(tokenizer, (ids, mask)) == " reflexivity."


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "x"}, "holds none of messages, prompt, question, formal_proof"),
        ({"question": "x"}, "solution: expected a text"),
        ({"formal_proof": "x"}, "formal_statement: expected a text"),
        ({"prompt": "x", "completion": 3}, "completion: expected a text"),
        ({"messages": []}, "messages: expected"),
        ({"messages": [{"role": "user"}]}, "found {'role': 'user'}"),
        ({"prompt": [{"role": "user", "content": "x"}], "completion": "y"}, "completion: expected"),
    ],
)
def test_a_line_of_no_format_is_named(tokenizer, row, words):
    with pytest.raises(ValueError, match=words):
        render_row(tokenizer, row)


TURNS = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""


def test_a_models_own_template_renders_and_its_turns_are_learned(tokenizer):
    template = ChatTemplate(TURNS, {}, "folder")
    prompt = [turn("user", "a?"), turn("assistant", "one"), turn("user", "b?")]
    answer = "Run.\n```output\n42\n```\nSo 42."
    every = [*prompt, turn("assistant", answer)]
    ids, mask = render_row(tokenizer, {"messages": every}, template)
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|end|>\n" for m in every)
    assert tokenizer.decode(ids) == text.replace("<|end|>", "")
    # The ends of turns are special tokens, not their spelling.
    assert ids.count(tokenizer.eos_id) == 4
    end = [
        token for token, flag in zip(ids, mask, strict=True) if flag and token == tokenizer.eos_id
    ]
    assert len(end) == 2
    assert learned(tokenizer, (ids, mask)) == "one\nRun.\n```outputSo 42.\n"
    last = {"prompt": prompt, "completion": every[3:]}
    same, only_last = render_row(tokenizer, last, template)
    assert same == ids
    assert learned(tokenizer, (same, only_last)) == "Run.\n```outputSo 42.\n"
    row = {"question": "a?", "solution": "one"}
    first = render_row(tokenizer, row, template)
    assert first == render_row(tokenizer, {"messages": prompt[:2]}, template)


def test_a_template_that_changes_earlier_turns_is_refused(tokenizer):
    forgets = "{{ messages[-1].content }}{% if add_generation_prompt %}>{% endif %}"
    template = ChatTemplate(forgets, {}, "folder")
    with pytest.raises(ValueError, match="chat template of folder shows message 2"):
        render_row(tokenizer, {"question": "a?", "solution": "one"}, template)
