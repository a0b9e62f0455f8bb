"""The records that stages hand to each other, as Arrow schemas: the one place that names fields."""

import pyarrow as pa

_STRINGS = pa.list_(pa.string())

#: A page after extraction. ``source`` is ``file:offset:length`` of its WARC record, ``formulas``
#: the number of formulas kept in ``text`` between ``$…$`` or ``$$…$$``.
PAGE = pa.schema(
    [
        ("url", pa.string()),
        ("host", pa.string()),
        ("path", pa.string()),
        ("language", pa.string()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("formulas", pa.int32()),
        ("source", pa.string()),
        ("digest", pa.string()),
    ]
)

#: A page that was collected: the round that took it, its classifier score, the annotated URL
#: prefix it stands under (or ""), and the URLs of the duplicates it stands for.
DOCUMENT = pa.schema(
    [
        *PAGE,
        ("round", pa.int32()),
        ("score", pa.float32()),
        ("prefix", pa.string()),
        ("stands_for", _STRINGS),
    ]
)

#: A problem with one solution; ``kind`` is "cot", "pot" or "tool", ``language`` "en" or "zh".
PROBLEM = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("solution", pa.string()),
        ("steps", _STRINGS),
        ("kind", pa.string()),
        ("language", pa.string()),
        ("level", pa.int32()),
        ("subject", pa.string()),
        ("choices", _STRINGS),
        ("source", pa.string()),
    ]
)

#: One sampled completion of one problem. ``verdict`` is null when it could not be told;
#: ``by_tool`` marks the tokens that a tool wrote, null where none took part;
#: ``step_ends`` index tokens of the completion, ``step_rewards`` has a value for each (with a
#: process reward model only); ``advantages`` has one value per token.
SAMPLE = pa.schema(
    [
        ("problem_id", pa.string()),
        ("benchmark", pa.string()),
        ("k", pa.int32()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("by_tool", pa.list_(pa.bool_())),
        ("stop_reason", pa.string()),
        ("extracted", pa.string()),
        ("verdict", pa.bool_()),
        ("reason", pa.string()),
        ("gold", pa.string()),
        ("rewards", pa.list_(pa.float32())),
        ("step_ends", pa.list_(pa.int32())),
        ("step_rewards", pa.list_(pa.float32())),
        ("advantages", pa.list_(pa.float32())),
    ]
)

#: One answer to a problem of a benchmark: a sample with its question, its place in the benchmark,
#: the tokens that the model wrote, how the programs that ran for it ended, the verdict on their
#: output, and how much of the problem stands in one worked example or training problem (0 to 1).
ANSWER = pa.schema(
    [
        *SAMPLE,
        ("question", pa.string()),
        ("subject", pa.string()),
        ("level", pa.string()),
        ("tokens", pa.int32()),
        ("programs", _STRINGS),
        ("program_right", pa.bool_()),
        ("overlap", pa.float32()),
    ]
)
