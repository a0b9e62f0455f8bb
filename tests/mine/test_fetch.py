"""Reading by URL: faults of a busy server cost time, never bytes; manners are kept."""

import gzip
import time

import pytest

from seekmath.core.files import BadInput
from seekmath.mine import fetch
from seekmath.mine.crawl import read_pages
from seekmath.mine.fetch import open_place, read_range, read_whole

from .bucket_server import SNAPSHOT, Bucket, common_crawl, serving
from .warc_files import url_of

WARC = f"/crawl-data/{SNAPSHOT}/segments/1/warc/CC-MAIN-00000.warc.gz"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setenv("SEEKMATH_FIRST_PAUSE_S", "0.001")
    monkeypatch.setenv("SEEKMATH_REQUESTS_PER_S", "5000")
    monkeypatch.setattr(fetch, "BLOCK", 1000)


@pytest.fixture
def bucket():
    with serving(common_crawl()) as bucket:
        yield bucket


def urls_at(place: str) -> list[str]:
    return [page.url for page in read_pages(place)]


PAGES = [url_of(number) for number in range(4)]


def test_a_file_is_read_by_ranges(bucket: Bucket):
    assert urls_at(bucket.url + WARC) == PAGES
    ranges = [headers["Range"] for _, _, headers in bucket.seen]
    assert ranges[:2] == ["bytes=0-999", "bytes=1000-1999"]
    assert len(ranges) == len(set(ranges))


@pytest.mark.parametrize("fault", [403, 429, 500, 502, 503, 504, "cut"])
def test_every_second_request_fails_and_nothing_is_lost(bucket: Bucket, fault: object):
    bucket.faults = [fault, None] * 20
    assert urls_at(bucket.url + WARC) == PAGES


def test_a_cut_connection_is_resumed_where_it_was_cut(bucket: Bucket):
    bucket.faults = [None, "cut"]
    assert urls_at(bucket.url + WARC) == PAGES
    ranges = [headers["Range"] for _, _, headers in bucket.seen]
    assert ranges[:3] == ["bytes=0-999", "bytes=1000-1999", "bytes=1500-1999"]


@pytest.mark.parametrize("faults", [[], ["cut"], [None, "cut", 503]])
def test_a_server_without_ranges_is_read_whole(bucket: Bucket, faults: list[object]):
    bucket.ranges = False
    bucket.faults = faults
    assert urls_at(bucket.url + WARC) == PAGES
    with open_place(bucket.url + WARC) as file:
        assert file.read() == bucket.files[WARC]
    assert read_range(bucket.url + WARC, 700, 90) == bucket.files[WARC][700:790]


def test_an_absent_file_is_not_asked_for_twice(bucket: Bucket):
    with pytest.raises(BadInput, match=r"/absent\.warc\.gz: no such file"):
        urls_at(bucket.url + "/absent.warc.gz")
    assert len(bucket.seen) == 1


def test_a_server_that_stays_busy_is_named_with_its_answer(bucket: Bucket, monkeypatch):
    monkeypatch.setenv("SEEKMATH_ATTEMPTS", "3")
    bucket.faults = [503] * 50
    with pytest.raises(BadInput, match="after 3 attempts: answer 503"):
        read_whole(bucket.url + WARC)
    assert len(bucket.seen) == 3


def test_no_server_at_all_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("SEEKMATH_ATTEMPTS", "2")
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:9/x\.warc: cannot be read after 2"):
        urls_at("http://127.0.0.1:9/x.warc")


def test_a_pause_that_the_server_asks_for_is_kept(bucket: Bucket):
    bucket.faults, bucket.retry_after = [429], "1"
    start = time.monotonic()
    assert read_whole(bucket.url + WARC) == bucket.files[WARC]
    assert time.monotonic() - start >= 1


def test_the_user_agent_is_stated(bucket: Bucket, monkeypatch):
    read_whole(bucket.url + WARC)
    assert bucket.seen[-1][2]["User-Agent"].startswith("seekmath/")
    monkeypatch.setenv("SEEKMATH_USER_AGENT", "lab 7 (mail@example.org)")
    read_whole(bucket.url + WARC)
    assert bucket.seen[-1][2]["User-Agent"] == "lab 7 (mail@example.org)"


def test_requests_to_a_host_are_spaced(bucket: Bucket, monkeypatch):
    monkeypatch.setenv("SEEKMATH_REQUESTS_PER_S", "20")
    start = time.monotonic()
    for _ in range(5):
        read_range(bucket.url + WARC, 0, 10)
    assert time.monotonic() - start >= 4 / 20


def test_bytes_come_as_they_lie_on_the_server(bucket: Bucket):
    bucket.files["/a.gz"] = gzip.compress(b"text")
    assert read_whole(bucket.url + "/a.gz") == bucket.files["/a.gz"]


def test_a_setting_of_the_environment_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("SEEKMATH_REQUESTS_PER_S", "often")
    with pytest.raises(BadInput, match="SEEKMATH_REQUESTS_PER_S: found 'often'"):
        read_whole("http://127.0.0.1:9/x")


def test_s3_is_read_through_the_same_door(bucket: Bucket, monkeypatch):
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bucket.url)
    bucket.files["/commoncrawl" + WARC] = bucket.files[WARC]
    bucket.faults = [503]
    assert urls_at("s3://commoncrawl" + WARC) == PAGES
    agents = {headers["User-Agent"] for _, _, headers in bucket.seen}
    assert all("seekmath/" in agent for agent in agents)
