"""What commands print at their end."""

import pytest

from seekmath.commands.say import lines, short


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.123456, "0.1235"),
        (188299, "188,299"),
        (True, "true"),
        ({"a": 2, "b": 1.0}, "a 2, b 1"),
        ({"extract": {}, "find": {"url": 36, "text": 1040}}, "find (url 36, text 1,040)"),
        ("x" * 400, "x" * 300 + " …"),
    ],
)
def test_a_value_stands_on_one_line(value, words):
    assert short(value) == words


def test_a_line_for_each_value_and_each_of_several_mappings():
    cuts = [{"cut": 1, "tokens": 2500}, {"cut": 2, "tokens": 5000}]
    found = {"none": {}, "rounds": 2, "cuts": cuts}
    assert list(lines(found)) == [
        "rounds: 2",
        "cuts:",
        "  cut 1, tokens 2,500",
        "  cut 2, tokens 5,000",
    ]
