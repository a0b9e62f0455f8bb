"""Fine-tuning examples in any of the usual formats, as token ids and loss mask.

- ``question`` and ``solution``, with ``kind``, ``language`` and ``choices`` if need be;
- ``messages``: a list of ``{"role": …, "content": …}``, loss on every assistant turn;
- ``prompt`` and ``completion``: two texts as they stand, or two lists of messages; loss on the
  completion only.
"""

from collections.abc import Callable
from typing import Any

from seekmath.corpus.chat import (
    render_example,
    render_messages,
    with_choices,
    with_instruction,
)
from seekmath.corpus.tokenizer import Tokenizer

#: Token ids, and which of them carry loss.
Example = tuple[list[int], list[bool]]


def render_row(tokenizer: Tokenizer, row: dict[str, Any]) -> Example:
    """The example of one JSON line.

    Raises:
        ValueError: the line is of no known format; the message names the field.
    """
    for field, render in _FORMATS.items():
        if field in row:
            return render(tokenizer, row)
    raise ValueError(f"holds none of {', '.join(_FORMATS)}")


def _question(tokenizer: Tokenizer, row: dict[str, Any]) -> Example:
    asked = with_choices(_text(row, "question"), row.get("choices"))
    asked = with_instruction(asked, row.get("kind", "cot"), row.get("language", "en"))
    return render_example(tokenizer, asked, _text(row, "solution"))


def _messages(tokenizer: Tokenizer, row: dict[str, Any]) -> Example:
    return render_messages(tokenizer, _conversation(row, "messages"))


def _prompt(tokenizer: Tokenizer, row: dict[str, Any]) -> Example:
    if isinstance(row["prompt"], list):
        prompt, completion = _conversation(row, "prompt"), _conversation(row, "completion")
        ids, mask = render_messages(tokenizer, prompt + completion)
        # The assistant's turns in the prompt are given, not learned.
        given = sum(mask) - sum(render_messages(tokenizer, [_ASKED, *completion])[1])
        for place, learned in enumerate(mask):
            if learned and given > 0:
                mask[place], given = False, given - 1
        return ids, mask
    assert tokenizer.eos_id is not None
    start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    asked = start + tokenizer.encode(_text(row, "prompt"))
    answer = [*tokenizer.encode(_text(row, "completion")), tokenizer.eos_id]
    return asked + answer, [False] * len(asked) + [True] * len(answer)


_ASKED = {"role": "user", "content": ""}
_FORMATS: dict[str, Callable[[Tokenizer, dict[str, Any]], Example]] = {
    "messages": _messages,
    "prompt": _prompt,
    "question": _question,
}


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
