"""Pages of the embedded web: each a pure function of (seed, number), with the truth beside it."""

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import Any

from seekmath.core.seeds import python_random
from seekmath.core.words import GRAM, SHORTEST, gram_length, plain_words
from seekmath.world.hosts import Host
from seekmath.world.markup import encode_text, formulas_of
from seekmath.world.settings import WorldSettings
from seekmath.world.words import TOPICS
from seekmath.world.writing import (
    Flavour,
    fact,
    heading,
    lookalike,
    problem_text,
    prose,
    worked,
)

_MIRROR_RATE = 0.05
_STORIES = 0.6


@dataclass
class Page:
    """A page as served, and the truth that only measuring reads."""

    url: str
    body: bytes
    content_type: str
    truth: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Web:
    """What every page derives from."""

    settings: WorldSettings
    seed: int
    hosts: list[Host]
    quotable: list[dict[str, Any]]  # benchmark problems that contaminated pages quote

    @cached_property
    def _weights(self) -> list[float]:
        return list(accumulate(host.weight for host in self.hosts))

    @cached_property
    def _test_grams(self) -> frozenset[tuple[str, ...]]:
        """The grams by which the questions of the benchmarks are known (``core.words``)."""
        questions = [plain_words(problem["question"]) for problem in self.quotable]
        return frozenset(gram for words in questions for gram in _grams(words, gram_length(words)))

    def _is_quotation(self, question: str) -> bool:
        """Whether a training problem shares a gram with a test problem, as one in 5,000 does.

        Other numbers in the same sentences: by the n-gram rule the page would hold a test
        problem, though the truth beside it says that it does not.
        """
        words = plain_words(question)
        lengths = range(SHORTEST, GRAM + 1)
        return any(gram in self._test_grams for n in lengths for gram in _grams(words, n))

    def page(self, number: int) -> Page:
        """Page ``number``; a mirror repeats an earlier page under another address."""
        random = python_random(self.seed, "page", number)
        if number > 50 and random.random() < _MIRROR_RATE:
            original = random.randrange(number)
            page = self._original(original)
            return self._mirrored(page, random, number, original)
        return self._original(number)

    def _original(self, number: int) -> Page:
        random = python_random(self.seed, "original", number)
        host = random.choices(self.hosts, cum_weights=self._weights)[0]
        is_math = random.random() < host.math_share
        zh = host.language == "zh"
        contaminates = ""
        if is_math:
            # Seed hosts hold formulas only; word problems must be found through their hosts.
            stories = not host.seed and random.random() < _STORIES
            flavour: Flavour = "stories" if stories else "formal"
            title, sections, contaminates = self._mathematics(random, number, flavour, zh)
            what: str = flavour
        else:
            what, title, sections = _other(random, host, zh)
        path = _path(random, host, is_math, number)
        text = "\n".join(part for section in sections for part in section if part)
        return Page(
            url=f"http://{host.name}{path}",
            body=_encode(_document(random, host, title, sections), host.charset),
            content_type=_content_type(host.charset),
            truth={
                "kind": f"{host.kind}:{what}",
                "math": is_math,
                "language": host.language,
                "text": f"{title}\n{text}",
                "formulas": formulas_of(text) if host.encoding != "plain" and is_math else [],
                "encoding": host.encoding if is_math else "",
                "group": f"page-{number}",
                "contaminates": contaminates,
                "seed": host.seed and is_math and random.random() < 0.6,
            },
        )

    def _mathematics(
        self, random: Random, number: int, flavour: Flavour, zh: bool
    ) -> tuple[str, list[tuple[str, ...]], str]:
        sections: list[tuple[str, ...]] = []
        if flavour == "formal":
            facts = [fact(random, zh) for _ in range(random.randint(1, 3))]
            sections.append((" ".join(facts),))
        for _ in range(random.randint(7, 15)):
            draft = worked(random, self.seed, number, flavour, zh, self.settings.web_slip_rate)
            while self._is_quotation(draft.question):
                draft = worked(random, self.seed, number, flavour, zh, self.settings.web_slip_rate)
            sections.append(problem_text(draft, zh))
        contaminates = ""
        if random.random() < self.settings.contamination:
            quoted = random.choice(self.quotable)
            contaminates = quoted["id"]
            place = random.randrange(1, len(sections) + 1)
            sections.insert(
                place, (quoted["question"], quoted["solution"].replace("####", "Answer:"))
            )
        return heading(random, flavour, zh), sections, contaminates

    def _mirrored(self, page: Page, random: Random, number: int, original: int) -> Page:
        """The same page elsewhere: tracking parameters, another host, or a changed heading."""
        kind = random.choice(("tracking", "mirror", "changed"))
        truth = {**page.truth, "seed": False}
        if kind == "tracking":
            url = f"{page.url}?utm_source=feed{number}&sessionid={number:x}"
        elif kind == "mirror":
            url = page.url.replace("http://", f"https://mirror{number % 5}.")
        else:
            url = f"{page.url}?print={number}"
            note = f" (copy number {number})"
            page.body = page.body.replace(b"</h1>", f"{note}</h1>".encode(), 1)
            truth["text"] = truth["text"].replace("\n", f"{note}\n", 1)
        return Page(url, page.body, page.content_type, truth)


def _grams(words: list[str], length: int) -> Iterator[tuple[str, ...]]:
    if not length:
        return iter(())
    return zip(*(words[shift:] for shift in range(length)), strict=False)


def _other(random: Random, host: Host, zh: bool) -> tuple[str, str, list[tuple[str, ...]]]:
    """What the page is ("prose" or "lookalike"), its title and its sections."""
    kind = host.kind if host.kind not in ("notes", "qa", "wiki", "forum") else "blog"
    sections: list[tuple[str, ...]] = [
        (prose(random, kind, zh, random.randint(3, 7)),) for _ in range(random.randint(2, 6))
    ]
    alike = kind in ("sports", "shop", "spam", "code") and random.random() < 0.4
    if alike:
        sections.append((lookalike(random, kind),))
    title = prose(random, kind, zh, 1)[:60].rstrip("。.")
    return "lookalike" if alike else "prose", title, sections


def _path(random: Random, host: Host, is_math: bool, number: int) -> str:
    topic = random.choice(TOPICS)
    if host.kind == "notes":
        return f"/{'courses' if is_math else 'staff'}/{topic}/{number}.html"
    if host.kind == "qa":
        return f"/{'questions' if is_math else 'users'}/{number}/{topic}"
    folder = {"wiki": "mathematics", "forum": "math-help", "blog": "math"}.get(host.kind, "x")
    if is_math:
        return f"/{folder}/{topic}-{number}"
    return f"/{random.choice(('articles', 'posts', 'items', 'daily'))}/{number}"


def _document(random: Random, host: Host, title: str, sections: list[tuple[str, ...]]) -> str:
    """The HTML: the host's own frame around the sections, with the noise of real pages."""
    links = "".join(f'<li><a href="/{t}">{t}</a></li>' for t in random.sample(TOPICS, 6))
    body = "\n".join(_section(host, section) for section in sections)
    if host.style == 2 and random.random() < 0.3:
        body = body.replace("</p>", "", 2) + "</div></span>"  # broken mark-up
    heading_html = f"<h1>{html.escape(title)}</h1>"
    main = (
        f"<main>{heading_html}{body}</main>",
        f'<div class="content"><article>{heading_html}{body}</article></div>',
        f"<table><tr><td>{heading_html}{body}</td></tr></table>",
    )[host.style]
    meta = "" if host.charset == "gb2312-unstated" else f'<meta charset="{_stated(host.charset)}">'
    return (
        f"<!DOCTYPE html><html><head>{meta}<title>{html.escape(title)} | {host.name}</title>"
        f"<script>var id={random.getrandbits(30)};track('page',id);</script>"
        "<style>body{margin:0}</style></head><body>"
        f'<nav class="navbar"><ul>{links}</ul></nav>'
        '<div id="cookie-banner"><p>We use cookies to improve your visit.</p>'
        "<button>Accept all</button></div>"
        f'{main}<aside class="sidebar"><h3>Popular</h3><ul>{links}</ul></aside>'
        f'<footer class="footer"><p>© {host.name}. All rights reserved.</p></footer>'
        "</body></html>"
    )


def _section(host: Host, section: tuple[str, ...]) -> str:
    parts = [encode_text(part, host.encoding) for part in section if part]
    if len(parts) == 1:
        return f"<p>{parts[0]}</p>"
    if host.kind == "qa":
        asked, answered = parts
        return (
            f'<div class="question"><p>{asked}</p></div><div class="answer"><p>{answered}</p></div>'
        )
    return f"<p>{parts[0]}</p>\n<p>{parts[1]}</p>"


def _stated(charset: str) -> str:
    return "iso-8859-1" if charset == "utf-8-as-latin1" else charset


def _encode(text: str, charset: str) -> bytes:
    codec = {"utf-8-as-latin1": "utf-8", "gb2312-unstated": "gbk", "gbk": "gbk"}.get(
        charset, charset
    )
    return text.encode(codec, "xmlcharrefreplace")


def _content_type(charset: str) -> str:
    if charset in ("utf-8", "utf-8-as-latin1"):
        return f"text/html; charset={_stated(charset)}"
    return "text/html"
