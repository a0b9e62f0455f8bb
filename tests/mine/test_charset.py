"""Charsets as they are, whatever is stated."""

from seekmath.mine.charset import decode


def test_utf8_under_the_label_of_latin1_is_read_as_utf8():
    text = "<p>设 x = 1，求值 “ok”</p>"
    assert decode(text.encode(), "iso-8859-1") == text
    assert decode("<p>café für 5 £</p>".encode("latin-1"), "iso-8859-1") == "<p>café für 5 £</p>"
