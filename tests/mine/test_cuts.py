"""Candidate cuts: nested, ranked, within their budgets, whole or absent however they are made."""

import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seekmath.core.files import BadInput, read_json
from seekmath.core.job import Job
from seekmath.core.records import DOCUMENT
from seekmath.mine.cuts import cuts
from seekmath.mine.settings import CutsSettings

from .small_run import digests, kill, start


@pytest.fixture(scope="module")
def made(mined: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("cuts")
    cuts(CutsSettings(mined=str(mined), largest=60_000, workers=0), Job.open(out))
    return out


def ranked(mined: Path) -> list[tuple[str, int]]:
    """URL and tokens of all kept pages, best first; equal ones in the order of the crawl."""
    rows = []
    for path in sorted((mined / "kept").glob("*.parquet")):
        kept = pq.read_table(path, columns=["url", "tokens"])
        scores = np.load(mined / f"rounds/02/scores/{path.stem}.npy")
        rows += zip(-scores, kept["url"].to_pylist(), kept["tokens"].to_pylist(), strict=True)
    return [(url, tokens) for _, url, tokens in sorted(rows, key=lambda row: row[0])]


def documents_of(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet")))


def urls_of(folder: Path) -> set[str]:
    return set(documents_of(folder)["url"].to_pylist())


def test_a_cut_holds_the_best_pages_that_its_budget_takes(mined, made):
    table = read_json(made / "cuts.json")
    assert [row["budget"] for row in table] == [15_000, 30_000, 45_000, 60_000]
    best = ranked(mined)
    sums = np.cumsum([tokens for _, tokens in best])
    quoting = {
        url for item in read_json(made / "contamination.json")["items"] for url in item["urls"]
    }
    for row in table:
        expected = {url for url, _ in best[: int((sums <= row["budget"]).sum())]}
        found = urls_of(made / row["cut"] / "corpus")
        assert found <= expected
        assert expected - found <= quoting
        assert row["documents"] == len(found)


def test_each_cut_holds_the_smaller_ones_and_says_what_it_is(mined, made):
    for number in range(1, 5):
        folder = made / f"cut-{number}"
        table = documents_of(folder / "corpus")
        assert table.schema.equals(DOCUMENT)
        sheet = read_json(folder / "datasheet.json")
        assert sheet["cut"]["number"] == number
        assert sheet["sizes"]["documents"] == len(table)
        assert sum(host["documents"] for host in sheet["hosts"]["largest"]) <= len(table)
        assert f"Cut {number} of 4" in (folder / "README.md").read_text()
        if number > 1:
            assert urls_of(made / f"cut-{number - 1}/corpus") < urls_of(folder / "corpus")
    corpus = documents_of(mined / "corpus").to_pylist()
    texts = {row["url"]: (row["text"], row["round"]) for row in corpus}
    both = [row for row in table.to_pylist() if row["url"] in texts]
    assert len(both) == len(texts)
    assert all(texts[row["url"]] == (row["text"], row["round"]) for row in both)
    # The rest no round collected, or only an earlier one.
    assert {row["round"] for row in table.to_pylist()} >= {0}


def test_killed_it_leaves_no_part_of_a_cut_and_ends_with_the_same_bytes(mined, made, tmp_path):
    out = tmp_path / "cuts"
    command = [sys.executable, "-m", "seekmath.cli", "mine", "cuts", mined, "--out", out]
    command += ["--largest", "60000", "--workers", "1", "--quiet"]
    first = start(command)
    while not list((out / "manifests/write").glob("0*.json")):
        assert first.poll() is None, first.communicate()[0].decode()
        time.sleep(0.002)
    kill(first)
    whole = [path.parent for path in out.glob("cut-*/README.md")]
    assert sorted(out.glob("cut-*")) == sorted(whole)
    second = start(command)
    text = second.communicate()[0].decode()
    assert second.returncode == 0, text
    once = {name: mark for name, mark in digests(made).items() if name.startswith(("cut", "cont"))}
    again = digests(out)
    assert {name: again[name] for name in once} == once
    assert not (out / "parts").exists()


def test_a_cut_larger_than_the_crawl_names_what_there_is(mined, tmp_path):
    settings = CutsSettings(mined=str(mined), tokens=[10, 10**12], workers=0)
    with pytest.raises(BadInput, match=r"found 1,000,000,000,000 tokens; allowed: up to \d"):
        cuts(settings, Job.open(tmp_path / "cuts"))


def test_only_a_mining_run_is_cut(tmp_path):
    with pytest.raises(BadInput, match="holds no mining run"):
        cuts(CutsSettings(mined=str(tmp_path)), Job.open(tmp_path / "cuts"))


@pytest.mark.parametrize("given", [{"tokens": [3, 2]}, {"tokens": [5], "largest": 5}])
def test_budgets_that_make_no_sense_are_refused(given):
    with pytest.raises(ValueError, match="tokens"):
        CutsSettings(mined="mined", **given)
