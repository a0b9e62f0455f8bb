"""The columnar URL index finds what the index server does, by a few byte ranges."""

import pytest

from seekmath.core.files import BadInput
from seekmath.mine import index_table
from seekmath.mine.crawl import read_pages
from seekmath.mine.index_table import key_spans, table_ranges
from seekmath.mine.inputs import crawl_inputs
from seekmath.mine.settings import MineSettings
from seekmath.mine.snapshot import index_ranges

from .bucket_server import SNAPSHOT, Bucket, add_index_table, common_crawl, serving
from .warc_files import body_of, url_of


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setenv("SEEKMATH_FIRST_PAUSE_S", "0.001")
    monkeypatch.setenv("SEEKMATH_REQUESTS_PER_S", "5000")
    with serving(common_crawl()) as bucket:
        add_index_table(bucket)
        yield bucket


@pytest.mark.parametrize("place", ["site3.org", "*.org", "site1.org/page/8", "absent.net"])
def test_it_finds_what_the_index_server_finds(bucket: Bucket, place: str):
    bucket.faults = [503, None, "cut", 429]
    table = set(table_ranges(SNAPSHOT, [place, place], bucket.url))
    assert table == set(index_ranges(SNAPSHOT, [place], bucket.url, bucket.url))


def test_the_pages_of_chosen_hosts_are_mined_from_it(bucket: Bucket, tmp_path):
    (tmp_path / "hosts.txt").write_text("site3.org  # pages 3 and 10\nsite1.org/page/8\n")
    settings = MineSettings(
        seeds="seeds.txt", snapshot=SNAPSHOT, base_url=bucket.url, index="table",
        index_url="http://127.0.0.1:9/", hosts=str(tmp_path / "hosts.txt"),
    )  # fmt: skip
    lists = crawl_inputs(settings, tmp_path / "index")
    pages = {page.url: page.body for file in lists for page in read_pages(file)}
    assert pages == {url_of(n): body_of(n) for n in (3, 8, 10)}


def test_row_groups_of_other_hosts_are_not_read(bucket: Bucket, monkeypatch):
    monkeypatch.setattr(index_table, "_BLOCK", 256)

    def asked(*places: str) -> int:
        del bucket.seen[:]
        list(table_ranges(SNAPSHOT, places, bucket.url))
        return sum("Range" in headers for _, _, headers in bucket.seen)

    assert asked("absent.net") < asked("site3.org") < asked("*.org")


@pytest.mark.parametrize(
    ("place", "inside", "outside"),
    [
        ("example.org", ["org,example)/", "org,example)/a?b"], ["org,example,w)/", "org,exampl)/"]),
        ("*.example.org", ["org,example)/", "org,example,w)/a"], ["org,example2)/"]),
        ("www.Example.org/Wiki/", ["org,example)/wiki/x"], ["org,example)/wikis", "org,example)/"]),
    ],
)  # fmt: skip
def test_keys_of_a_place(place, inside, outside):
    def within(key: str) -> bool:
        return any(span.first <= key < span.end for span in key_spans(place))

    assert all(map(within, inside))
    assert not any(map(within, outside))


def test_a_snapshot_without_the_table_says_so(bucket: Bucket):
    listing = f"/crawl-data/{SNAPSHOT}/cc-index-table.paths.gz"
    bucket.files[listing] = bucket.files[f"/crawl-data/{SNAPSHOT}/warc.paths.gz"]
    with pytest.raises(BadInput, match=r"lists no file of /subset=warc/"):
        list(table_ranges(SNAPSHOT, ["site3.org"], bucket.url))


def test_a_file_that_is_no_index_is_named(bucket: Bucket):
    [name] = [path for path in bucket.files if path.endswith("00000.gz.parquet")]
    bucket.files[name] = b"PAR1 nothing PAR1"
    with pytest.raises(BadInput, match=r"part-00000.gz.parquet: not readable as Parquet"):
        list(table_ranges(SNAPSHOT, ["site3.org"], bucket.url))
