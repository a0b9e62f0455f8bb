"""The WARC reader as laws: every form gives the same pages; damage costs the record it hits."""

import bz2
import gzip
import io
import random
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seekmath.core.files import BadInput
from seekmath.mine import gzip_members
from seekmath.mine.crawl import Damage, RawPage, page_of, read_pages
from seekmath.mine.warc import MOST_RECORD, read_records

from .warc_files import (
    body_of,
    common_crawl_records,
    http,
    member,
    members,
    page_record,
    record,
    url_of,
)


@pytest.fixture(scope="module", autouse=True, params=["compiled", "interpreted"])
def _both_ways(request):
    """Every law holds for the compiled batches and for what does without them."""
    with pytest.MonkeyPatch.context() as patch:
        least = 0 if request.param == "compiled" else 1 << 60
        patch.setattr(gzip_members, "_LEAST_FOR_BATCHES", least)
        yield


def pages_in(raw: bytes, damage: Damage | None = None) -> list[RawPage]:
    damage = damage if damage is not None else Damage()
    records = read_records(io.BytesIO(raw), damage)
    return [page for r in records if (page := page_of(r, "f.warc", damage)) is not None]


def numbers(pages: list[RawPage]) -> list[int]:
    """The pages by number; a page whose body is not the one written fails."""
    found = [int(page.url.rsplit("/", 1)[1]) for page in pages]
    for number, page in zip(found, pages, strict=True):
        assert page.body == body_of(number)
        assert page.url == url_of(number)
    return found


RECORDS = [record("", b"software: x\r\n", "warcinfo")] + [page_record(n) for n in range(40)]


def blocks(raw: bytes, size: int) -> bytes:
    """Gzip members of ``size`` bytes each, wherever records begin (bgzip does so)."""
    return b"".join(member(raw[at : at + size]) for at in range(0, len(raw), size))


FORMS = {
    "by record": members(RECORDS)[0],
    "by three records": b"".join(member(b"".join(RECORDS[n : n + 3])) for n in range(0, 41, 3)),
    "whole": gzip.compress(b"".join(RECORDS), mtime=0),
    "blocks": blocks(b"".join(RECORDS), 5000),
    "plain": b"".join(RECORDS),
    "with names and times": b"".join(gzip.compress(r, mtime=1_700_000_000) for r in RECORDS),
    "stored": b"".join(gzip.compress(r, 0, mtime=0) for r in RECORDS),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pages_and_reports_nothing(form: str):
    damage = Damage()
    assert numbers(pages_in(FORMS[form], damage)) == list(range(40))
    assert not damage.skipped
    assert not damage.mended


@pytest.mark.parametrize("form", FORMS)
def test_a_source_names_the_bytes_of_its_record(form: str):
    raw = FORMS[form]
    for page in pages_in(raw):
        where, length = page.source.removeprefix("f.warc:").split(":")
        offset, _, inner = where.partition("+")
        bytes_there = raw[int(offset) :]
        if form != "plain":
            bytes_there = gzip.decompress(bytes_there)
        there = bytes_there[int(inner or 0) :]
        assert there.startswith(b"WARC/1.0")
        assert f"\r\nWARC-Target-URI: {page.url}\r\n".encode() in there[:200]
        if inner or form == "plain":
            assert there[int(length) :].startswith(b"\r\n\r\n")


def test_common_crawl_layout_gives_one_page_for_request_response_metadata():
    raw, _ = members([part for n in range(5) for part in common_crawl_records(n)])
    damage = Damage()
    assert numbers(pages_in(raw, damage)) == list(range(5))
    assert not damage.skipped


def test_wet_records_come_as_text():
    text = "Euler showed this.\r\nIt holds for all n."
    raw = member(record("https://a.org/x", text.encode(), "conversion"))
    (page,) = pages_in(raw)
    assert page.text is not None
    assert page.text.text == "Euler showed this.\nIt holds for all n."
    assert page.url == "https://a.org/x"


# --- damage


def lost_and_found(raw: bytes) -> tuple[set[int], Damage]:
    damage = Damage()
    found = numbers(pages_in(raw, damage))
    assert len(found) == len(set(found))
    return set(found), damage


def covered(damage: Damage, offset: int) -> bool:
    """Whether a loss is reported that the byte ``offset`` lies in."""
    return any(loss.offset <= offset < loss.offset + loss.length for loss in damage.losses)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_flipped_bytes_cost_only_the_members_they_hit(seed: int, flips: int):
    raw, places = members(RECORDS)
    damaged = bytearray(raw)
    rng = random.Random(seed)
    hit = set()
    for _ in range(flips):
        at = rng.randrange(len(raw))
        damaged[at] ^= rng.randrange(1, 256)
        hit.add(next(i for i, (start, end) in enumerate(places) if start <= at < end))
    found, damage = lost_and_found(bytes(damaged))
    lost = set(range(40)) - found
    assert lost <= {i - 1 for i in hit}
    for number in lost:
        assert covered(damage, places[number + 1][0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_file_cut_anywhere_gives_what_is_whole(seed: int):
    raw, places = members(RECORDS)
    cut = random.Random(seed).randrange(len(raw))
    found, damage = lost_and_found(raw[:cut])
    # Where only the trailer is cut, the record's digest vouches for it.
    assert found == {i - 1 for i, (_, end) in enumerate(places) if i and end - 8 <= cut}
    at_a_border = cut == 0 or any(end - 8 <= cut <= end for _, end in places)
    assert bool(damage.losses) == (not at_a_border)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["zeros", "error page", "empty member", "noise"]))
def test_what_lies_between_members_costs_nothing(seed: int, kind: str):
    rng = random.Random(seed)
    _, places = members(RECORDS)
    raw, _ = members(RECORDS)
    between = {
        "zeros": bytes(rng.randrange(1, 5000)),
        "error page": b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>" * 3,
        "empty member": member(b""),
        "noise": rng.randbytes(3000),
    }[kind]
    at = rng.choice(places)[1]
    found, damage = lost_and_found(raw[:at] + between + raw[at:])
    assert found == set(range(40))
    if kind in ("error page", "noise"):
        assert damage.losses[0][:2] == (at, len(between))
    else:
        assert sum(damage.mended.values()) == 1


@pytest.mark.parametrize("at", range(10))
def test_a_broken_gzip_head_costs_nothing(at: int):
    raw, places = members(RECORDS)
    damaged = bytearray(raw)
    damaged[places[7][0] + at] ^= 0x55
    found, damage = lost_and_found(bytes(damaged))
    assert found == set(range(40))
    assert not damage.losses


@pytest.mark.parametrize("at", range(1, 9))
def test_a_broken_gzip_trailer_costs_nothing_where_the_digest_agrees(at: int):
    raw, places = members(RECORDS)
    damaged = bytearray(raw)
    damaged[places[7][1] - at] ^= 0x55
    found, damage = lost_and_found(bytes(damaged))
    assert found == set(range(40))
    assert damage.mended["wrong gzip trailer"] == 1


WRONG_LENGTHS = [None, "0", "7", "-4", "many", "99999", "9999999999999", "3.5"]


@pytest.mark.parametrize("length", WRONG_LENGTHS)
@pytest.mark.parametrize("form", ["by record", "whole", "plain", "blocks"])
def test_a_wrong_or_missing_length_is_mended(form: str, length: str | None):
    records = [*RECORDS]
    records[5] = page_record(4, length=length)
    records[-1] = page_record(39, length=length)
    packed = {
        "by record": members(records)[0],
        "whole": gzip.compress(b"".join(records)),
        "plain": b"".join(records),
        "blocks": blocks(b"".join(records), 5000),
    }[form]
    found, damage = lost_and_found(packed)
    assert found == set(range(40))
    assert damage.mended["wrong length"] == 2
    assert not damage.losses


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
@example(1118)  # the lines between two records are overwritten, in part
@example(1619)  # and all of them
def test_plain_files_go_on_at_the_next_record_head(seed: int):
    """Bytes overwritten in a plain file cost the records they touch."""
    rng = random.Random(seed)
    raw = bytearray(b"".join(RECORDS))
    ends = [0]
    for one in RECORDS:
        ends.append(ends[-1] + len(one))
    at = rng.randrange(ends[1], len(raw) - 300)
    # The heads too: no record can be told from its neighbours by its length alone.
    raw[at : at + 300] = rng.randbytes(300).replace(b"WARC", b"warc")
    pages = pages_in(bytes(raw))
    whole = {i - 1 for i in range(1, 41) if ends[i + 1] <= at or ends[i] >= at + 300}
    assert whole <= {int(page.url.rsplit("/", 1)[1]) for page in pages if page.url in URLS}


URLS = {url_of(number) for number in range(40)}


def test_records_before_the_damage_in_a_file_gzipped_whole_are_kept():
    raw = bytearray(FORMS["whole"])
    raw[len(raw) // 2] ^= 0xFF
    found, damage = lost_and_found(bytes(raw))
    assert found == set(range(len(found)))
    assert len(found) >= 15
    assert damage.losses


def test_two_files_in_one_with_a_damaged_border_are_both_read():
    first, _ = members(RECORDS[:20])
    # What the damaged member's decoder meets next decides how much of its record it can name: the
    # time in the second one's head must not be that of the test.
    second = gzip.compress(b"".join(RECORDS[20:]), mtime=0)
    found, damage = lost_and_found(first[:-30] + second)
    assert found == set(range(40)) - {18}
    assert damage.losses[0].url == url_of(18)


# --- bounds


def test_a_decompression_bomb_is_given_up_and_the_rest_is_read():
    bomb = record("https://evil.org/", http(bytes(80 << 20)))
    raw = member(RECORDS[1]) + member(bomb) + member(RECORDS[2])
    found, damage = lost_and_found(raw)
    assert found == {0, 1}
    assert damage.losses[0].reason == "record over 32 MiB"
    assert damage.losses[0].url == "https://evil.org/"


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_record_over_the_bound_in_a_file_of_one_piece_is_skipped(gzipped: bool):
    huge = record("https://evil.org/", http(bytes(MOST_RECORD + 1000)))
    raw = RECORDS[1] + huge + RECORDS[2]
    found, damage = lost_and_found(gzip.compress(raw, 1) if gzipped else raw)
    assert found == {0, 1}
    assert damage.losses[0].reason == "record over 32 MiB"


def test_a_trailer_that_lies_about_the_size_makes_no_memory():
    raw = bytearray(member(RECORDS[1]))
    raw[-4:] = b"\xff\xff\xff\xff"
    found, _ = lost_and_found(bytes(raw) + member(RECORDS[2]))
    assert found == {0, 1}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=4000), st.integers(0, 2**32))
def test_any_bytes_at_all_end_without_an_error(noise: bytes, seed: int):
    raw, _ = members(RECORDS[:4])
    at = random.Random(seed).randrange(len(raw))
    for hostile in (noise, raw[:at] + noise, noise + raw[at:], b"WARC/1.0\r\n" + noise):
        pages_in(hostile)


def test_compressed_payload_with_gzip_heads_inside_is_one_record():
    inner = zlib.compress(b"x") + member(b"a") + bz2.compress(b"y") + member(page_record(99))
    raw = gzip.compress(record("https://a.org/", http(inner)), 0) + member(page_record(1))
    damage = Damage()
    assert [page.url for page in pages_in(raw, damage)] == ["https://a.org/", url_of(1)]
    assert not damage.losses


# --- files


def test_files_are_read_from_disk_with_their_name(tmp_path):
    path = tmp_path / "part.warc.gz"
    path.write_bytes(FORMS["by record"])
    pages = list(read_pages(path))
    assert numbers(pages) == list(range(40))
    assert all(page.source.startswith("part.warc.gz:") for page in pages)


def test_an_absent_file_and_an_unread_form_are_named(tmp_path):
    with pytest.raises(BadInput, match=r"absent\.warc"):
        list(read_pages(tmp_path / "absent.warc"))
    (tmp_path / "a.warc.zst").write_bytes(b"\x28\xb5\x2f\xfdrest")
    with pytest.raises(BadInput, match="zstd -d"):
        list(read_pages(tmp_path / "a.warc.zst"))


def test_an_empty_file_has_no_pages(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(b"")
    assert list(read_pages(tmp_path / "a.warc.gz")) == []
