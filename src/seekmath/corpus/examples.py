"""Fine-tuning examples in any of the usual formats, as token ids and loss mask.

- ``question`` and ``solution``, with ``kind``, ``language`` and ``choices`` if need be;
- ``formal_proof`` and ``statement`` (or ``formal_statement``), with ``informal_statement`` and
  ``informal_proof`` if need be: asked as a formal benchmark asks;
- ``messages``: a list of ``{"role": …, "content": …}``, loss on every assistant turn;
- ``prompt`` and ``completion``: two texts as they stand, or two lists of messages; loss on the
  completion only.

Conversations are rendered in the paper's format or by the model's own chat template.
"""

from collections.abc import Callable
from typing import Any

from seekmath.corpus.chat import render_messages, with_choices, with_instruction
from seekmath.corpus.template import ChatTemplate
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.verify.prover import proof_prompt

#: Token ids, and which of them carry loss.
Example = tuple[list[int], list[bool]]


def render_row(
    tokenizer: Tokenizer, row: dict[str, Any], template: ChatTemplate | None = None
) -> Example:
    """The example of one JSON line, in the paper's format unless there is a ``template``.

    Raises:
        ValueError: the line is of no known format; the message names the field.
    """

    def render(messages: list[dict[str, str]]) -> Example:
        if template:
            return template.example(tokenizer, messages)
        return render_messages(tokenizer, messages)

    if "messages" in row:
        return render(_conversation(row, "messages"))
    if isinstance(row.get("prompt"), list):
        return _after_prompt(render, row)
    if "prompt" in row:
        return _as_it_stands(tokenizer, row)
    if "question" in row:
        asked = with_choices(_text(row, "question"), row.get("choices"))
        asked = with_instruction(asked, row.get("kind", "cot"), row.get("language", "en"))
        solution = _text(row, "solution")
        return render([_turn("user", asked), _turn("assistant", solution)])
    if "formal_proof" in row:
        proof = _text(row, "formal_proof").strip()
        return render([_turn("user", _proof_asked(row)), _turn("assistant", proof)])
    raise ValueError("holds none of messages, prompt, question, formal_proof")


def _after_prompt(
    render: Callable[[list[dict[str, str]]], Example], row: dict[str, Any]
) -> Example:
    prompt, completion = _conversation(row, "prompt"), _conversation(row, "completion")
    ids, mask = render(prompt + completion)
    # The assistant's turns in the prompt are given, not learned.
    given = sum(mask) - sum(render([_turn("user", ""), *completion])[1])
    for place, learned in enumerate(mask):
        if learned and given > 0:
            mask[place], given = False, given - 1
    return ids, mask


def _as_it_stands(tokenizer: Tokenizer, row: dict[str, Any]) -> Example:
    assert tokenizer.eos_id is not None
    start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    asked = start + tokenizer.encode(_text(row, "prompt"))
    answer = [*tokenizer.encode(_text(row, "completion")), tokenizer.eos_id]
    return asked + answer, [False] * len(asked) + [True] * len(answer)


def _proof_asked(row: dict[str, Any]) -> str:
    said, sketch = (str(row.get(f"informal_{part}") or "") for part in ("statement", "proof"))
    statement = _text(row, "statement" if "statement" in row else "formal_statement")
    return proof_prompt(said, sketch, statement).rstrip("\n")


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _text(row: dict[str, Any], field: str) -> str:
    if not isinstance(row.get(field), str):
        raise ValueError(f"{field}: expected a text")
    return str(row[field])


def _conversation(row: dict[str, Any], field: str) -> list[dict[str, str]]:
    messages = row.get(field)
    wanted = '[{"role": …, "content": …}, …]'
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"{field}: expected {wanted}")
    for message in messages:
        if not isinstance(message, dict) or not all(
            isinstance(message.get(key), str) for key in ("role", "content")
        ):
            raise ValueError(f"{field}: expected {wanted}, found {message!r:.60}")
    return messages
