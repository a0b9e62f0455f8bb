"""A tokenizer of worked problems in English and Chinese."""

import pytest

from seekmath.corpus.tokenizer import Tokenizer
from seekmath.world.problems import FAMILIES, draw, record


def problem_texts(count: int) -> list[str]:
    """Worked problems of every family as plain texts."""
    records = [
        record(draw(family, "train", 0, "text", number), family, "x")
        for number in range(count)
        for family in FAMILIES
    ]
    return [f"{row['question']}\n{row['solution']}" for row in records]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    latex = r"so $\frac{1}{2}\sqrt{3} = \frac{\sqrt{3}}{2}$" + "\n"
    return Tokenizer.train([*problem_texts(60), latex * 60], vocab_size=600)
