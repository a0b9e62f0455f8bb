"""A snapshot by name: its listing, its URL index, and mining from it over a busy server."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from seekmath.cli import commands
from seekmath.core.files import BadInput, read_jsonl
from seekmath.core.job import Job
from seekmath.core.log import Display
from seekmath.mine import fetch, page_ranges
from seekmath.mine.crawl import Damage, read_pages
from seekmath.mine.inputs import crawl_inputs, files_at
from seekmath.mine.settings import MineSettings
from seekmath.mine.snapshot import index_ranges, snapshot_files
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

from .bucket_server import SNAPSHOT, Bucket, common_crawl, serving
from .warc_files import body_of, members, page_record, url_of


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setenv("SEEKMATH_FIRST_PAUSE_S", "0.001")
    monkeypatch.setenv("SEEKMATH_REQUESTS_PER_S", "5000")


@pytest.fixture
def bucket():
    with serving(common_crawl()) as bucket:
        yield bucket


def settings_for(bucket: Bucket, **more: object) -> MineSettings:
    given = {"seeds": "seeds.txt", "snapshot": SNAPSHOT, "base_url": bucket.url}
    return MineSettings(**given, index_url=bucket.url, **more)


@pytest.mark.parametrize(
    ("files", "numbers"), [("0:2", [0, 1]), (":", [0, 1, 2]), ("1:", [1, 2]), ("2", [2])]
)
def test_files_of_a_snapshot_are_chosen_by_their_place(bucket: Bucket, files: str, numbers):
    found = snapshot_files(SNAPSHOT, files, bucket.url + "/", "warc")
    base = f"{bucket.url}/crawl-data/{SNAPSHOT}/segments/1/warc/CC-MAIN-0000"
    assert found == [f"{base}{number}.warc.gz" for number in numbers]


@pytest.mark.parametrize(
    ("snapshot", "files", "message"),
    [
        (SNAPSHOT, "3:9", "files: 3:9 chooses none; CC-MAIN-2024-33 has 3 files"),
        (SNAPSHOT, "some", "expected FIRST:END"),
        ("CC-MAIN-1999-01", ":", "snapshot CC-MAIN-1999-01: .*no such file"),
        ("../etc", ":", "expected a name such as"),
    ],
)
def test_a_wrong_choice_says_what_is_there(bucket: Bucket, snapshot, files, message):
    with pytest.raises(BadInput, match=message):
        snapshot_files(snapshot, files, bucket.url, "warc")


def test_a_listing_that_is_something_else_is_named(bucket: Bucket):
    bucket.files[f"/crawl-data/{SNAPSHOT}/warc.paths.gz"] = b"<html>maintenance</html>"
    with pytest.raises(BadInput, match="is no gzipped listing"):
        snapshot_files(SNAPSHOT, ":", bucket.url, "warc")


def test_wet_files_give_their_text(bucket: Bucket):
    (first, *_) = crawl_inputs(settings_for(bucket, form="wet", files="0:1"), None)
    pages = list(read_pages(first))
    assert [page.text.text for page in pages] == [f"Text of page {n}" for n in range(4)]


@pytest.mark.parametrize(
    ("place", "chosen"),
    [
        ("site3.org", lambda url: "//site3.org/" in url),
        ("*.org", lambda url: True),
        ("site1.org/page/8", lambda url: url.endswith("site1.org/page/8")),
        ("absent.net", lambda url: False),
    ],
)
def test_the_index_finds_the_pages_of_a_host(bucket: Bucket, place: str, chosen):
    bucket.faults = [503, None, 429]
    found = {one.url for one in index_ranges(SNAPSHOT, [place], bucket.url, bucket.url)}
    assert found == {url for url in map(url_of, range(12)) if chosen(url)}


@pytest.mark.parametrize(("gap", "requests"), [(0, 3), (64 << 10, 2)])
def test_only_the_pages_of_chosen_hosts_are_fetched(
    bucket: Bucket, tmp_path, monkeypatch, gap: int, requests: int
):
    """One request for each, or for those that lie near each other in a file."""
    monkeypatch.setattr(page_ranges, "_MOST_GAP", gap)
    (tmp_path / "hosts.txt").write_text("site3.org  # pages 3 and 10\nsite1.org/page/8\n")
    settings = settings_for(bucket, hosts=str(tmp_path / "hosts.txt"))
    lists = crawl_inputs(settings, tmp_path / "index")
    damage = Damage()
    pages = [page for file in lists for page in read_pages(file, damage)]
    assert {page.url: page.body for page in pages} == {url_of(n): body_of(n) for n in (3, 8, 10)}
    assert not damage.skipped
    ranged = [headers["Range"] for _, path, headers in bucket.seen if path.endswith(".warc.gz")]
    assert len(ranged) == requests
    rows = [row for file in lists for row in read_jsonl(file)]
    if not gap:
        spans = [(row["offset"], row["offset"] + row["length"] - 1) for row in rows]
        assert ranged == [f"bytes={first}-{last}" for first, last in spans]
    for page, row in zip(pages, rows, strict=True):
        name = row["file"].rsplit("/", 1)[1]
        assert page.source == f"{name}:{row['offset']}:{row['length']}"


def test_the_index_is_asked_once_and_the_answer_is_kept(bucket: Bucket, tmp_path):
    (tmp_path / "hosts.txt").write_text("site3.org\n")
    settings = settings_for(bucket, hosts=str(tmp_path / "hosts.txt"))
    first = crawl_inputs(settings, tmp_path / "index")
    asked = len(bucket.seen)
    assert crawl_inputs(settings, tmp_path / "index") == first
    assert len(bucket.seen) == asked


def test_hosts_without_a_page_are_an_error(bucket: Bucket, tmp_path):
    (tmp_path / "hosts.txt").write_text("absent.net\n")
    settings = settings_for(bucket, hosts=str(tmp_path / "hosts.txt"))
    with pytest.raises(BadInput, match=r"hosts\.txt: the index of CC-MAIN-2024-33 has no page"):
        crawl_inputs(settings, tmp_path / "index")


def test_a_range_that_holds_no_record_is_reported(tmp_path):
    raw, places = members([page_record(n) for n in range(3)])
    (tmp_path / "a.warc.gz").write_bytes(raw)
    start, end = places[1]
    rows = [(start, end - start), (start + 7, 40), (end, 999)]
    file = str(tmp_path / "a.warc.gz")
    (tmp_path / "x.ranges.jsonl").write_text(
        "".join(json.dumps({"file": file, "offset": o, "length": n}) + "\n" for o, n in rows)
    )
    damage = Damage()
    pages = list(read_pages(tmp_path / "x.ranges.jsonl", damage))
    assert [page.url for page in pages] == [url_of(1), url_of(2)]
    assert damage.losses[0].offset == start + 7


@pytest.mark.parametrize("row", ['{"file": 3}', '{"file": "a", "offset": -1, "length": 5}'])
def test_a_line_that_is_no_range_is_named(tmp_path, row: str):
    (tmp_path / "x.ranges.jsonl").write_text(row + "\n")
    with pytest.raises(BadInput, match=r"x\.ranges\.jsonl:1"):
        list(read_pages(tmp_path / "x.ranges.jsonl"))


def test_parquet_of_an_earlier_run_keeps_text_and_source(tmp_path):
    rows = [
        {"url": url_of(1), "text": "$x^2$ text", "title": "T", "formulas": 1, "source": "w:5:9"},
        {"url": url_of(2), "text": "plain", "title": None, "formulas": None, "source": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "corpus.parquet")
    pages = list(read_pages(tmp_path / "corpus.parquet"))
    assert [page.text for page in pages] == [("T", "$x^2$ text", 1), ("", "plain", 0)]
    assert [page.source for page in pages] == ["w:5:9", "corpus.parquet:1:1"]
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(BadInput, match=r"other\.parquet: has no column url"):
        list(read_pages(tmp_path / "other.parquet"))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BadInput, match=r"broken\.parquet: not readable"):
        list(read_pages(tmp_path / "broken.parquet"))


def test_folders_give_crawl_files_before_tables(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/2.warc.gz", "a/1.warc", "a/3.warc.wet.gz", "a/x.parquet", "a/readme.txt"):
        (tmp_path / name).write_bytes(b"")
    found = [file.rsplit("/", 1)[1] for file in files_at(str(tmp_path))]
    assert found == ["1.warc", "2.warc.gz", "3.warc.wet.gz"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x.parquet").write_bytes(b"")
    assert files_at(str(tmp_path / "b")) == [str(tmp_path / "b/x.parquet")]
    (tmp_path / "c").mkdir()
    with pytest.raises(BadInput, match=r"holds no \*\.warc"):
        files_at(str(tmp_path / "c"))


def test_extract_reads_a_crawl_file_by_url(bucket: Bucket):
    name = f"{bucket.url}/crawl-data/{SNAPSHOT}/segments/1/warc/CC-MAIN-00001.warc.gz"
    result = CliRunner().invoke(commands, ["extract", name, "--json"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [row["url"] for row in rows] == [url_of(n) for n in range(4, 8)]
    assert all("proof" in row["text"] for row in rows)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world")
    with Display(quiet=True) as display, Job.open(out, 0, display) as job:
        make_world(WorldSettings(pages=240, pages_per_file=120, hosts=40), job)
    return out


def test_a_busy_server_gives_the_pages_that_its_files_hold(world, monkeypatch):
    """Every second request fails; the pages are those read from disk, in their order."""
    monkeypatch.setattr(fetch, "BLOCK", 1 << 16)
    files = sorted((world / "warc").glob("*.warc.gz"))
    names = [f"crawl-data/{SNAPSHOT}/segments/1/warc/{file.name}" for file in files]
    held = {f"/{name}": file.read_bytes() for name, file in zip(names, files, strict=True)}
    listing = gzip.compress("".join(f"{name}\n" for name in names).encode())
    held[f"/crawl-data/{SNAPSHOT}/warc.paths.gz"] = listing
    with serving(Bucket(files=held, faults=[503, None, "cut", 429, None, 403] * 30)) as bucket:
        inputs = crawl_inputs(settings_for(bucket, files="0:2"), world)
        remote = [page for place in inputs for page in read_pages(place)]
    assert remote == [page for file in files for page in read_pages(file)]
    assert len(remote) == 240


def test_mine_without_anything_to_read_says_so(tmp_path):
    (tmp_path / "seeds.txt").write_text("https://a.org/\n")
    result = CliRunner().invoke(
        commands, ["mine", "--seeds", f"{tmp_path}/seeds.txt", "--out", f"{tmp_path}/out"]
    )
    assert "name crawl files, or a snapshot" in str(result.exception)
