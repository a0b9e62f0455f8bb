"""Charsets as they are, whatever is stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.mine.charset import decode, is_utf8, to_utf8


def test_utf8_under_the_label_of_latin1_is_read_as_utf8():
    text = "<p>设 x = 1，求值 “ok”</p>"
    assert decode(text.encode(), "iso-8859-1") == text
    assert decode("<p>café für 5 £</p>".encode("latin-1"), "iso-8859-1") == "<p>café für 5 £</p>"


SENTENCES = {
    "gb18030": "勾股定理：直角三角形斜边上的正方形面积等于两直角边上正方形面积之和。",
    "cp1251": "Теорема Пифагора: квадрат гипотенузы равен сумме квадратов катетов.",
    "koi8-r": "Теорема Пифагора: квадрат гипотенузы равен сумме квадратов катетов.",
    "cp1253": "Το τετράγωνο της υποτείνουσας ισούται με το άθροισμα των τετραγώνων των καθέτων.",
    "cp949": "직각삼각형에서 빗변의 길이의 제곱은 나머지 두 변의 길이의 제곱의 합과 같다.",
    "euc_jp": "直角三角形において、斜辺の二乗は他の二辺の二乗の和に等しいという定理である。",
    "cp932": "直角三角形において、斜辺の二乗は他の二辺の二乗の和に等しいという定理である。",
    "cp874": "ในรูปสามเหลี่ยมมุมฉากกำลังสองของด้านตรงข้ามมุมฉากเท่ากับผลบวกของกำลังสองของอีกสองด้าน",
    "big5": "直角三角形斜邊的平方等於兩股平方的和，這個定理有許多不同的證明方法。",
    "cp1252": "Le carré de l'hypoténuse est égal à la somme des carrés des côtés, démontré après.",
}


@pytest.mark.parametrize("codec", SENTENCES)
def test_chinese_is_told_by_its_bytes_and_nothing_else_is_taken_for_it(codec: str):
    text = f"<p>{SENTENCES[codec]}</p>" * 4
    found = decode(text.encode(codec, "ignore"), None)
    if codec == "gb18030":
        assert found == text
    else:
        assert found != text.encode(codec, "ignore").decode("gb18030", "replace")


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from([None, "utf-8", "gbk", "iso-8859-1", "nonsense"]))
def test_utf8_bytes_are_what_decoding_gives(text: str, stated: str | None):
    for body in (text.encode("utf-8", "replace"), text.encode("gb18030", "replace")):
        assert to_utf8(body, stated) == decode(body, stated).encode("utf-8", "replace")


_ENDS = [0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5]


@settings(deadline=None)
@given(st.binary(max_size=8) | st.lists(st.sampled_from(_ENDS), max_size=5).map(bytes))
def test_bytes_are_utf8_where_the_decoder_of_python_says_so(raw: bytes):
    for body in (raw, b"long " * 30 + raw, raw + b" long" * 30):
        try:
            body.decode("utf-8", "strict")
            valid = True
        except UnicodeDecodeError:
            valid = False
        assert is_utf8(np.frombuffer(body, np.uint8)) == valid
