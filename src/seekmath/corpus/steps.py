"""Where the steps of a solution end, in tokens: the places that a process reward model scores.

A step is a line of the solution that holds more than white space; it ends with the token that
holds its line break, the last step with the last token (the end-of-text token where there is one).
"""

from collections.abc import Sequence

from seekmath.corpus.tokenizer import Tokenizer


def step_ends(tokenizer: Tokenizer, token_ids: Sequence[int]) -> list[int]:
    """Index of the last token of each step, rising; the last is ``len(token_ids) - 1``.

    Args:
        tokenizer: decodes single tokens to find line breaks.
        token_ids: a completion; an empty one has no steps.
    """
    ends: list[int] = []
    written = ""
    for at, token in enumerate(token_ids):
        written += tokenizer.decode([token])
        if "\n" not in written:
            continue
        if written.strip():
            ends.append(at)
        elif ends:
            # Blank lines belong to the step before them.
            ends[-1] = at
        written = ""
    last = len(token_ids) - 1
    if last < 0:
        return []
    if written.strip() or not ends:
        return [*ends, last]
    return [*ends[:-1], last]
