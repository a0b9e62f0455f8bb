"""Prompts: shots are drawn once, of the right subject, and never follow into the answer."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput, write_jsonl
from seekmath.corpus.chat import SHOT_BREAK
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.evaluate.benchmarks import Problem
from seekmath.evaluate.prompts import draw_shots, judged_part, prompt_ids
from seekmath.evaluate.settings import EvaluateSettings

PROBLEM = Problem("p", "What is 1 + 1?", "2", [], "gsm")


@pytest.fixture
def train(tmp_path: Path) -> Path:
    rows = [
        {"question": f"{kind} {n}?", "solution": f"#### {n}", "kind": kind, "subject": subject}
        for n in range(5)
        for kind, subject in (("cot", "gsm"), ("cot", "sat"), ("pot", "gsm"))
    ]
    write_jsonl(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


def few(train: Path | str, shots: int) -> EvaluateSettings:
    return EvaluateSettings(
        models={"m": "m"}, benchmarks="b", shots=shots, shots_from=str(train), few_shot_models=["m"]
    )


def test_shots_are_worked_in_words_of_the_subject_and_the_same_each_time(train: Path):
    shots = draw_shots(few(train, 4), "gsm", "gsm", seed=1)
    assert shots == draw_shots(few(train, 4), "gsm", "gsm", seed=1)
    assert len(set(shots)) == 4
    assert all(question.startswith("cot") for question, _ in shots)
    # Eight of one subject there are not, so both are used.
    assert len(draw_shots(few(train, 8), "gsm", "gsm", seed=1)) == 8


def test_too_few_examples_or_none_are_refused(train: Path):
    with pytest.raises(BadInput, match="shots=11, but it has 10"):
        draw_shots(few(train, 11), "gsm", "", seed=1)
    with pytest.raises(BadInput, match="shots_from: needed"):
        draw_shots(few("", 1), "gsm", "", seed=1)


def test_a_few_shot_prompt_holds_the_examples_and_a_chat_prompt_none(
    train: Path, model_folder: Path
):
    tokenizer = Tokenizer.load(model_folder)
    shots = draw_shots(few(train, 2), "gsm", "gsm", seed=1)
    text = tokenizer.decode(prompt_ids(tokenizer, PROBLEM, shots))
    assert all(question in text and solution in text for question, solution in shots)
    assert text.endswith(PROBLEM.question + "\n")
    chat = tokenizer.decode(prompt_ids(tokenizer, PROBLEM, []))
    assert chat == "User: What is 1 + 1?\n\nAssistant:"


def test_what_a_base_model_invents_after_its_answer_is_not_judged(train: Path):
    shots = draw_shots(few(train, 1), "gsm", "gsm", seed=1)
    text = f"#### 2{SHOT_BREAK}What is 2 + 2?\n#### 4"
    assert judged_part(text, shots) == "#### 2"
    assert judged_part(text, []) == text
