"""The one renderer from a question and a solution to token ids and loss mask.

The format of the paper's chat models: ``User: {question}\\n\\nAssistant:`` then the solution and
the end-of-text token. Training, sampling and evaluation all come here, so that a space or a
beginning-of-text token is never missing on one side.
"""

import re

from seekmath.corpus.tokenizer import Tokenizer

#: What stands between two worked examples of a few-shot prompt.
SHOT_BREAK = "\n\n\n"
#: What tells a chat model to answer by a program or with one; worked solutions need no word.
INSTRUCTIONS = {
    ("pot", "en"): "Please write a Python program that prints the answer.",
    ("pot", "zh"): "请编写一个打印答案的Python程序。",
    ("tool", "en"): "Please integrate natural language reasoning with programs"
    " to solve the problem above.",
    ("tool", "zh"): "请结合自然语言和Python程序语言来解答问题。",
}
# Without its first line, which calls the tool: that the model must write itself.
_TOOL_OUTPUT = re.compile(r"(?<=```output)\n.*?```\n?", re.DOTALL)


def with_choices(question: str, choices: list[str] | None) -> str:
    """A question as a model sees it: its choices, if any, on lettered lines below it."""
    lines = [f"{letter}. {text}" for letter, text in zip("ABCDEFGHIJ", choices or [], strict=False)]
    return "\n".join([question, *lines])


def with_instruction(question: str, kind: str, language: str) -> str:
    """A question with the words that ask for its kind of solution, if it needs any."""
    instruction = INSTRUCTIONS.get((kind, language), "")
    return f"{question}\n{instruction}" if instruction else question


def prompt_text(question: str) -> str:
    """The prompt for a chat model."""
    return f"User: {question}\n\nAssistant:"


def render_prompt(tokenizer: Tokenizer, question: str) -> list[int]:
    """Token ids of the prompt; a beginning-of-text token where the tokenizer has one."""
    start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    return start + tokenizer.encode(prompt_text(question))


def render_example(
    tokenizer: Tokenizer, question: str, solution: str
) -> tuple[list[int], list[bool]]:
    """Token ids of prompt, solution and end-of-text, and which of them carry loss.

    The loss is on what the assistant writes, never on the prompt nor on what the tool writes: a
    block ```` ```output ```` from the end of its first line on.
    """
    assert tokenizer.eos_id is not None
    ids = render_prompt(tokenizer, question)
    mask = [False] * len(ids)
    for text, learned in learned_parts(" " + solution):
        part = tokenizer.encode(text)
        ids += part
        mask += [learned] * len(part)
    return [*ids, tokenizer.eos_id], [*mask, True]


def render_messages(
    tokenizer: Tokenizer, messages: list[dict[str, str]]
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation, and which carry loss: what the assistant writes.

    Roles are system, user, assistant and tool. What a tool says stands in a block
    ```` ```output ```` inside the assistant's turn, which it does not end, and is never learned;
    nor is such a block where the assistant's own message quotes one.

    Raises:
        ValueError: a role is none of these, or its turn cannot come there.
    """
    assert tokenizer.eos_id is not None
    ids = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    mask = [False] * len(ids)
    before = "user"
    for place, message in enumerate(messages):
        role, text = message["role"], message["content"]
        following = messages[place + 1]["role"] if place + 1 < len(messages) else ""
        _check_turn(role, before, place)
        for piece, learned in _turn(role, text, before):
            part = tokenizer.encode(piece)
            ids += part
            mask += [learned] * len(part)
        if role == "assistant" and following != "tool":
            ids.append(tokenizer.eos_id)
            mask.append(True)
        before = role
    return ids, mask


def learned_parts(solution: str) -> list[tuple[str, bool]]:
    """What the assistant writes in pieces, each with whether it is learned: tool output is not."""
    parts: list[tuple[str, bool]] = []
    end = 0
    for match in _TOOL_OUTPUT.finditer(solution):
        parts += [(solution[end : match.start()], True), (match.group(), False)]
        end = match.end()
    return [(text, learned) for text, learned in [*parts, (solution[end:], True)] if text]


#: The same conversation as a Hugging Face chat template.
CHAT_TEMPLATE = """\
{{- bos_token | default('') -}}
{%- for message in messages -%}
{%- set before = loop.previtem.role if loop.previtem is defined else '' -%}
{%- set after = loop.nextitem.role if loop.nextitem is defined else '' -%}
{%- if message.role == 'system' -%}
{{- message.content + '\\n\\n' -}}
{%- elif message.role == 'user' -%}
{{- 'User: ' + message.content + '\\n\\nAssistant:' -}}
{%- elif message.role == 'tool' -%}
{{- '\\n```output\\n' + message.content + '\\n```\\n' -}}
{%- elif message.role == 'assistant' -%}
{{- ('' if before == 'tool' else ' ') + message.content -}}
{%- if after != 'tool' -%}{{- eos_token -}}{%- endif -%}
{%- else -%}
{{- raise_exception('roles are system, user, assistant and tool') -}}
{%- endif -%}
{%- endfor -%}
"""


def _check_turn(role: str, before: str, place: int) -> None:
    may_follow = {
        "system": ("user",) if place == 0 else (),
        "user": ("system", "assistant") if place else ("user",),
        "assistant": ("user", "tool") if place else (),
        "tool": ("assistant",),
    }
    if role not in may_follow:
        raise ValueError(f"role '{role}'; allowed: {', '.join(may_follow)}")
    if before not in may_follow[role]:
        raise ValueError(f"message {place + 1} is of role '{role}', which cannot come there")


def _turn(role: str, text: str, before: str) -> list[tuple[str, bool]]:
    if role == "system":
        return [(f"{text}\n\n", False)]
    if role == "user":
        return [(prompt_text(text), False)]
    if role == "tool":
        return [(f"\n```output\n{text}\n```\n", False)]
    return learned_parts(text if before == "tool" else " " + text)
