"""A page before extraction."""

from typing import NamedTuple


class PageText(NamedTuple):
    """The text of a page that was extracted before."""

    title: str
    text: str
    formulas: int


class RawPage(NamedTuple):
    """One page: where it stood, and its body as sent, decoded from its transfer form.

    ``source`` is ``file:offset:length`` of its record (``warc.Record.place``). A page that comes as
    text (WET, Parquet of an earlier run) has ``text`` and an empty body.
    """

    url: str
    source: str
    body: bytes
    charset: str | None  # as the HTTP header states it
    text: PageText | None = None
