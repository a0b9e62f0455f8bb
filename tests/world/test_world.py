"""The embedded world: the same bytes, disjoint splits, programs that print the answer."""

import contextlib
import io

import pytest

from seekmath.core.files import read_jsonl, read_parquet
from seekmath.core.job import Job
from seekmath.world.problems import FAMILIES, benchmark, draw
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

SMALL = WorldSettings(pages=150, pages_per_file=50, benchmark_size=5, gsm8k_size=5)


def contents(folder):
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in names}


def test_the_same_seed_gives_the_same_bytes_also_when_resumed(tmp_path):
    for name in ("a", "b"):
        make_world(SMALL, Job.open(tmp_path / name, 3))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    (tmp_path / "b" / "warc" / "part-00001.warc.gz").unlink()
    make_world(SMALL, Job.open(tmp_path / "b", 3))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    make_world(SMALL, Job.open(tmp_path / "c", 4))
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


@pytest.mark.parametrize("family", FAMILIES)
def test_train_and_test_never_share_a_problem(family):
    train = {draw(family, "train", 0, number).key for number in range(150)}
    test = {draw(family, "test", 0, number).key for number in range(60)}
    assert not train & test
    rows = benchmark(family, 20, 0)
    assert len({row["question"] for row in rows}) == len(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_programs_print_what_the_solution_ends_with(family):
    for number in range(25):
        draft = draw(family, "train", 0, number)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(draft.program, {})  # our own program, made two lines above
        assert printed.getvalue().strip() == draft.printed
        assert draft.slipped is False


def test_slips_keep_the_true_answer(tmp_path):
    make_world(SMALL.model_copy(update={"slip_rate": 1.0}), Job.open(tmp_path))
    rows = [r for r in read_jsonl(tmp_path / "problems/train.jsonl") if r["source"] == "world:slip"]
    assert rows
    assert all(row["solution"].rpartition("#### ")[2] != row["answer"] for row in rows)


def test_copies_differ_from_their_page_by_their_address_or_their_heading(tmp_path):
    make_world(SMALL.model_copy(update={"pages": 600}), Job.open(tmp_path))
    pages = read_parquet(tmp_path / "truth.parquet", ["url", "text", "group"]).to_pylist()
    groups = {}
    for page in pages:
        groups.setdefault(page["group"], []).append(page)
    copies = [group for group in groups.values() if len(group) > 1]
    assert copies
    for first, *others in copies:
        for other in others:
            assert other["url"] != first["url"]
            heads = {first["text"].partition("\n")[0], other["text"].partition("\n")[0]}
            assert len(heads) == 1 + any("print=" in p["url"] for p in (first, other))
            assert other["text"].partition("\n")[2] == first["text"].partition("\n")[2]
    assert any("print=" in page["url"] for group in copies for page in group)
