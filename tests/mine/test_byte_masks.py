"""Masks over 64 bytes against the same asked of each byte."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.mine import byte_masks as masks
from seekmath.mine.compiled import kernel

_SPECIAL = b"&$\\`[\xc2\xe2\xee"
_LIKELY = st.sampled_from([0, 8, 9, 13, 14, 28, 31, 32, 33, 47, 60, 62, 127, *_SPECIAL, 0x80, 0xBF])
_PAGES = st.lists(_LIKELY | st.integers(0, 255), min_size=96, max_size=96).map(bytes)


@kernel
def _every(page, at):
    return (
        masks.opens(page, at), masks.slashes(page, at), masks.closes(page, at),
        masks.spaces(page, at), masks.blank(page, at), masks.letter(page, at),
        masks.visible(page, at), masks.special(page, at), masks.high(page, at),
    )  # fmt: skip


_ASKED = {
    "opens": lambda byte: byte == ord("<"),
    "slashes": lambda byte: byte == ord("/"),
    "closes": lambda byte: byte == ord(">"),
    "spaces": lambda byte: byte == ord(" "),
    "blank": lambda byte: byte < 128 and chr(byte).isspace(),
    "letter": lambda byte: byte < 128 and chr(byte).isalpha(),
    "visible": lambda byte: byte > 32 and not 0x80 <= byte < 0xC0,
    "special": lambda byte: byte <= 32 or byte in _SPECIAL,
    "high": lambda byte: byte >= 128,
}


@settings(deadline=None)
@given(_PAGES, st.integers(0, 32))
def test_each_bit_answers_for_its_byte(page, at):
    found = _every(np.frombuffer(page, np.uint8), at)
    for (name, asked), bits in zip(_ASKED.items(), found, strict=True):
        assert [bits >> n & 1 for n in range(64)] == [asked(byte) for byte in page[at : at + 64]], (
            name
        )


@kernel
def _compared(page, at, other, byte):
    return masks.equal(page, at, byte), masks.same(page, at, other), masks.word(page, at)


@settings(deadline=None)
@given(_PAGES, st.integers(0, 32), st.integers(0, 32), st.integers(0, 255))
def test_equal_same_and_word(page, at, other, byte):
    equal, same, word = _compared(np.frombuffer(page, np.uint8), at, other, byte)
    here, there = page[at : at + 64], page[other : other + 64]
    assert [equal >> n & 1 for n in range(64)] == [each == byte for each in here]
    assert [same >> n & 1 for n in range(64)] == [a == b for a, b in zip(here, there, strict=True)]
    assert word == int.from_bytes(here[:8], "little", signed=True)


@kernel
def _copied(target, place, page, at):
    masks.copy(target, place, page, at)


@settings(deadline=None)
@given(_PAGES, st.integers(0, 32), st.integers(0, 32))
def test_copy_writes_64_bytes_and_no_more(page, place, at):
    target = np.zeros(96, np.uint8)
    _copied(target, place, np.frombuffer(page, np.uint8), at)
    assert target.tobytes() == bytes(place) + page[at : at + 64] + bytes(32 - place)


@kernel
def _bits(bits):
    return masks.first(bits), masks.ones(bits)


@pytest.mark.parametrize("bits", [0, 1, 2, 12, -1, -(2**63), 2**40])
def test_first_and_ones(bits):
    written = f"{bits & 2**64 - 1:064b}"
    assert _bits(bits) == (len(written) - len(written.rstrip("0")), written.count("1"))
