import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.corpus.chat import (
    CHAT_TEMPLATE,
    render_example,
    render_messages,
    render_prompt,
    with_choices,
    with_instruction,
)

TOOL = "Let us run it.\n```python\nprint(6*7)\n```\n```output\n42\n```\nSo it is 42.\n#### 42"


def learned(tokenizer, ids, mask):
    return tokenizer.decode([token for token, flag in zip(ids, mask, strict=True) if flag])


def test_an_example_is_prompt_solution_and_end(tokenizer):
    ids, mask = render_example(tokenizer, "What is 6*7?", "It is 42.")
    prompt = render_prompt(tokenizer, "What is 6*7?")
    assert ids[: len(prompt)] == prompt
    assert tokenizer.decode(ids) == "User: What is 6*7?\n\nAssistant: It is 42."
    assert ids[-1] == tokenizer.eos_id
    assert mask == [False] * len(prompt) + [True] * (len(ids) - len(prompt))


def test_what_a_tool_wrote_carries_no_loss(tokenizer):
    ids, mask = render_example(tokenizer, "What is 6*7?", TOOL)
    assert tokenizer.decode(ids).endswith(TOOL)
    assert learned(tokenizer, ids, mask) == " " + TOOL.replace("\n42\n```\n", "")
    assert mask[-1]


def test_a_question_may_bring_choices_and_an_instruction(tokenizer):
    assert with_choices("Which?", ["1", "2"]) == "Which?\nA. 1\nB. 2"
    assert with_choices("Which?", None) == "Which?"
    assert with_instruction("Which?", "cot", "en") == "Which?"
    assert with_instruction("哪个？", "tool", "zh").startswith("哪个？\n请")


def turns(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


def test_one_question_and_its_answer_are_what_an_example_is(tokenizer):
    messages = turns(("user", "What is 6*7?"), ("assistant", TOOL))
    assert render_messages(tokenizer, messages) == render_example(tokenizer, "What is 6*7?", TOOL)


def test_only_what_the_assistant_writes_is_learned(tokenizer):
    code = "Let us run it.\n```python\nprint(6*7)\n```"
    messages = turns(
        ("system", "Be brief."),
        ("user", "What is 6*7?"),
        ("assistant", code),
        ("tool", "42"),
        ("assistant", "So it is 42."),
        ("user", "And 2*2?"),
        ("assistant", "4"),
    )
    ids, mask = render_messages(tokenizer, messages)
    assert tokenizer.decode(ids) == (
        f"Be brief.\n\nUser: What is 6*7?\n\nAssistant: {code}\n```output\n42\n```\n"
        "So it is 42.User: And 2*2?\n\nAssistant: 4"
    )
    assert learned(tokenizer, ids, mask) == f" {code}So it is 42. 4"
    # A turn that a tool interrupts goes on after it; the others end.
    assert ids.count(tokenizer.eos_id) == 2


CONTENT = st.text("ab 1\n`", max_size=8)


@given(
    system=st.none() | CONTENT,
    rounds=st.lists(st.tuples(CONTENT, CONTENT, st.none() | CONTENT), min_size=1, max_size=3),
)
def test_the_chat_template_renders_the_same_conversation(tokenizer, system, rounds):
    messages = [] if system is None else turns(("system", system))
    for asked, answer, tool in rounds:
        messages += turns(("user", asked), ("assistant", answer))
        if tool is not None:
            messages += turns(("tool", tool), ("assistant", answer))
    template = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).from_string(CHAT_TEMPLATE)
    text = template.render(messages=messages, eos_token="\0")
    ids, _ = render_messages(tokenizer, messages)
    spans = "".join(
        "\0" if token == tokenizer.eos_id else chr(0xE000 + token) for token in ids
    ).split("\0")
    wanted = "\0".join(tokenizer.decode([ord(c) - 0xE000 for c in span]) for span in spans)
    assert text == wanted
    asked = template.render(messages=messages[: len(messages) - 1], eos_token="\0")
    assert text.startswith(asked)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (["human"], "role 'human'; allowed: system, user"),
        (["assistant"], "message 1 is of role 'assistant'"),
        (["user", "user"], "message 2 is of role 'user'"),
        (["user", "tool"], "message 2 is of role 'tool'"),
        (["user", "system"], "message 2 is of role 'system'"),
    ],
)
def test_turns_that_cannot_be_are_refused(tokenizer, roles, words):
    with pytest.raises(ValueError, match=words):
        render_messages(tokenizer, turns(*((role, "x") for role in roles)))
