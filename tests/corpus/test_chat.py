from seekmath.corpus.chat import (
    render_example,
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
