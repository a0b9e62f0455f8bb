"""The journal keeps every whole line, whenever a process ends."""

from pathlib import Path

import pytest

from seekmath.core.files import BadInput
from seekmath.evaluate.journal import Journal


def test_cut_anywhere_the_whole_lines_are_there_and_the_rest_can_follow(tmp_path: Path):
    path = tmp_path / "j"
    journal = Journal(path)
    for n in range(3):
        journal.add({"problem_id": "p", "k": n, "completion": "é\ud800\n"})
    assert journal.rows["p", 0]["completion"] == "é?\n"
    journal.close()
    text = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(text) if byte == ord("\n")]
    for length in range(len(text) + 1):
        path.write_bytes(text[:length])
        again = Journal(path)
        assert len(again.rows) == sum(end <= length for end in ends)
        again.add({"problem_id": "q", "k": 0})
        again.close()
        last = Journal(path)
        assert set(last.rows) == {*again.rows}
        last.remove()
    assert not path.exists()


def test_a_damaged_line_is_named(tmp_path: Path):
    (tmp_path / "j").write_bytes(b'{"problem_id": "p", "k": 0}\n{"prob\n')
    with pytest.raises(BadInput, match="j:2: damaged"):
        Journal(tmp_path / "j")
