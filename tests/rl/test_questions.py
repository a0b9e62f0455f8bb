"""Questions: what is taken, what is dropped and counted, and the order by number."""

import pytest

from seekmath.core.files import BadInput, write_jsonl
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.rl.questions import questions_of_step, read_questions
from seekmath.rl.settings import GrpoSettings


def read(path, policy_folder, context=64, **changes):
    settings = GrpoSettings(
        model=str(policy_folder), problems=str(path), max_new_tokens=8, **changes
    )
    return read_questions(settings, Tokenizer.load(policy_folder), context)


def test_every_drop_is_counted(policy_folder, tmp_path):
    rows = [
        {"question": "What is 1 plus 2?", "answer": 3, "level": 1, "subject": "gsm"},
        {"question": "What is 1 plus 2?", "answer": 3, "level": 1, "subject": "gsm"},
        {"question": "What is 1 plus 3?", "answer": 4, "kind": "pot", "subject": "gsm"},
        {"question": "What is 1 plus 4?", "answer": 5, "kind": "cot", "subject": "math"},
        {"question": "What is 1 plus 5? " * 9, "answer": 6, "level": 1, "subject": "gsm"},
        {"question": "What is 1 plus 6?", "answer": 7, "level": 2, "subject": "gsm"},
    ]
    write_jsonl(tmp_path / "p.jsonl", rows)
    kept, drops = read(tmp_path / "p.jsonl", policy_folder, subjects=["gsm"], levels=[1])
    assert [(q.id, q.answer, q.columns["level"]) for q in kept] == [("1", "3", 1)]
    assert drops == {
        "same_question": 1,
        "other_kind": 1,
        "other_subject": 1,
        "other_level": 1,
        "long_prompt": 1,
    }


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"question": "x"}, "p.jsonl:1: needs question"),
        ({"question": "What is 1 plus 2?" * 30, "answer": "3"}, "no question is left"),
    ],
)
def test_bad_input_names_the_file(policy_folder, tmp_path, row, words):
    write_jsonl(tmp_path / "p.jsonl", [row])
    with pytest.raises(BadInput, match=words):
        read(tmp_path / "p.jsonl", policy_folder)


def test_each_epoch_asks_every_question_once(policy_folder, problems):
    kept, _ = read(problems, policy_folder)
    assert len(kept) == 7
    drawn = [q.id for step in range(7) for q in questions_of_step(kept, 3, 5, step)]
    epochs = [drawn[start : start + 7] for start in (0, 7, 14)]
    assert all(sorted(epoch) == sorted(q.id for q in kept) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    # A step is a function of its number: what was asked before does not matter.
    assert [q.id for q in questions_of_step(kept, 3, 5, 4)] == drawn[12:15]
