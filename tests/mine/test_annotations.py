"""Decisions on prefixes: nothing is overwritten, nothing confirmed is lost, the last one holds."""

import csv
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.core.artifact import Manifest
from seekmath.core.files import BadInput
from seekmath.mine.annotate import as_marks, from_file, match
from seekmath.mine.annotated_run import AnnotatedRun
from seekmath.mine.annotations import Annotations
from seekmath.mine.domains import Share, outline

from .annotated import counted_run


def labels(store: Annotations, last_round: int | None = None) -> dict[str, str]:
    return {prefix: one.label for prefix, one in store.standing(last_round).items()}


def test_the_last_decision_holds_and_both_are_kept(tmp_path):
    ann, bob = Annotations(tmp_path), Annotations(tmp_path)
    ann.decide("a.org/", "math", "ann", 1)
    bob.decide("a.org/", "other", "bob", 1)
    assert labels(ann) == {"a.org/": "other"}
    assert [one.who for one in ann.lines()] == ["ann", "bob"]


def test_undo_takes_back_ones_own_and_uncovers_what_the_other_said(tmp_path):
    store = Annotations(tmp_path)
    store.decide("a.org/", "math", "ann", 1)
    store.decide("a.org/", "other", "bob", 1)
    assert store.undo("bob", 1).prefix == "a.org/"
    assert labels(store) == {"a.org/": "math"}
    assert store.undo("bob", 1) is None
    assert store.undo("ann", 1)
    assert labels(store) == {}


def test_a_finished_round_stays_as_it_was(tmp_path):
    store = Annotations(tmp_path)
    store.decide("a.org/", "math", "ann", 1)
    store.finish(1, "ann")
    store.finish(1, "bob")
    assert store.undo("ann", 1) is None
    assert store.decide("a.org/", "other", "ann", 1).round == 2
    assert labels(store, 1) == {"a.org/": "math"}
    assert labels(store, 2) == {"a.org/": "other"}
    assert store.finished() == 1
    assert sum(one.kind == "finish" for one in store.lines()) == 1


@given(cut=st.integers(2, 200))
def test_half_a_line_costs_only_itself(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("cut")
    store = Annotations(folder)
    store.decide("a.org/", "math", "ann", 1)
    store.decide("b.org/", "math", "ann", 1)
    whole = store.path.read_bytes()
    first = whole.index(b"\n") + 1
    store.path.write_bytes(whole[: max(first, len(whole) - cut)])
    again = Annotations(folder)
    again.decide("c.org/", "other", "bob", 1)
    assert labels(again) == {"a.org/": "math", "c.org/": "other"}
    assert labels(Annotations(folder)) == labels(again)


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    program = (
        "import sys; from pathlib import Path; from seekmath.mine.annotations import Annotations\n"
        "store = Annotations(Path(sys.argv[1]))\n"
        "for at in range(25): store.decide(f'{sys.argv[2]}{at}.org/', 'math', sys.argv[2], 1)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), who]) for who in ("a", "b")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(Annotations(tmp_path).standing()) == 50


def test_csv_goes_out_and_comes_back(tmp_path):
    store = Annotations(tmp_path / "one")
    store.decide("a.org/", "math", 'ann, "a"', 2)
    store.decide("a.org/数学/", "other", "bob", 2)
    assert store.export(tmp_path / "out.csv") == 2
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["prefix", "label", "who", "when", "round"]
    other = Annotations(tmp_path / "two")
    rows = from_file(tmp_path / "out.csv")
    assert other.take(rows, "me", 1) == 2
    assert other.take(rows, "me", 1) == 0
    told = {p: (d.label, d.who, d.when) for p, d in other.standing().items()}
    assert told == {p: (d.label, d.who, d.when) for p, d in store.standing().items()}


@pytest.mark.parametrize("who", ["", "=cmd()", "a\nb", "x" * 81, "\u202eabc"])
def test_names_that_disturb_a_table_are_refused(tmp_path, who):
    with pytest.raises(BadInput, match="who"):
        Annotations(tmp_path).decide("a.org/", "math", who, 1)


@pytest.mark.parametrize("prefix", ["", "a.org", "/x/", "a.org/" + "x" * 3000 + "/"])
def test_what_is_no_prefix_is_refused(tmp_path, prefix):
    with pytest.raises(BadInput, match="prefix"):
        Annotations(tmp_path).decide(prefix, "math", "ann", 1)


def test_a_decision_on_a_folder_goes_before_one_above_it():
    marks = as_marks({"a.org/": "math", "a.org/forum/": "other", "a.org/forum/maths/": "math"})
    assert match(marks, "a.org", "/x.html") == "a.org/"
    assert match(marks, "a.org", "/forum/x.html") == ""
    assert match(marks, "a.org", "/forum/maths/x.html") == "a.org/forum/maths/"
    assert match(marks, "b.org", "/x.html") == ""


def test_outline_shows_what_divides_a_host():
    shares = [
        Share("a.org/", 100, 50),
        Share("a.org/x/", 60, 45),
        Share("a.org/x/y/", 60, 45),  # the same pages as a.org/x/
        Share("a.org/x/y/z/", 20, 20),
        Share("a.org/new/", 30, 5),
        Share("a.org/few/", 2, 2),
    ]
    shown = outline(shares, least_pages=5, most=10)
    assert [(depth, one.name) for depth, one in shown] == [
        (0, "a.org/"),
        (1, "a.org/x/"),
        (2, "a.org/x/y/z/"),
        (1, "a.org/new/"),
    ]
    assert [one.name for _, one in outline(shares, 5, 2)] == ["a.org/", "a.org/x/"]


def test_it_is_on_disk_when_the_call_returns(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    store = Annotations(tmp_path)
    store.decide("a.org/", "math", "ann", 1)
    assert synced == [store.path.stat().st_size]


def test_what_is_asked_about_is_the_runs_own_domain(tmp_path):
    run = AnnotatedRun.open(counted_run(tmp_path))
    assert run.domain == "mathematics"
    manifest = Manifest(
        stage="mine", type="mine", state="running", fingerprint="", settings={"domain": "cookery"},
        inputs={}, seed=0, versions={}, machine="", started="",
    )  # fmt: skip
    manifest.write(tmp_path)
    assert run.domain == "cookery"
