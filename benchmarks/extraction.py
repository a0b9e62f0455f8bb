"""Page to text beside trafilatura, resiliparse and resiliparse with OpenWebMath's rules.

Speed (CPU time of one core, the hands in turn on the same pages, medians), formulas on torture
pages, and main text against what a person marked:

    python benchmarks/extraction.py --crawl ../shared/crawl --articles ../shared/data/articles

Pages: mathematics documentation of the crawl, news and blog articles, and the embedded world, which
is made on the spot. Main text is compared by the F1 of the 4-grams of its words, the mean over
pages. The formulas of a torture page count as present, delimited, precise and free of garbage as
``formula_pages.measure`` says. Ours is timed with decoding and the record around it, the peers are
given decoded text.
"""

import argparse
import gzip
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from extraction_peers import openwebmath_text, resiliparse_text, trafilatura_text
from formula_pages import ENCODINGS, measure, torture_page
from timing import cpu_seconds, medians, save

from seekmath.core.files import read_parquet
from seekmath.core.job import Job
from seekmath.mine.charset import decode
from seekmath.mine.crawl import RawPage, read_pages
from seekmath.mine.extract import extract_page
from seekmath.mine.html import main_text
from seekmath.world.settings import WorldSettings
from seekmath.world.web import make_world

_MATH_HOSTS = ("docs.sympy.org", "docs.scipy.org", "mpmath.org", "doc.sagemath.org",
               "maxima.sourceforge.io", "eigen.tuxfamily.org")  # fmt: skip
_PEERS: dict[str, Callable[[str], str]] = {
    "openwebmath rules": openwebmath_text,
    "resiliparse": resiliparse_text,
    "trafilatura": trafilatura_text,
}


def ours_text(page: str) -> str:
    return main_text(page)[1]


def grams(text: str) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[at : at + 4]) for at in range(max(1, len(words) - 3)) if words)


def score(truth: str, found: str) -> tuple[float, float, float]:
    """F1, precision and recall of the 4-grams."""
    wanted, have = grams(truth), grams(found)
    both = sum((wanted & have).values())
    if not both:
        return 0.0, 0.0, 0.0
    precision, recall = both / sum(have.values()), both / sum(wanted.values())
    return 2 * precision * recall / (precision + recall), precision, recall


def main_text_scores(pages: list[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """Pages are (HTML, truth)."""
    found = {}
    for name, hand in {"ours": ours_text, **_PEERS}.items():
        scores = [score(truth, hand(page)) for page, truth in pages]
        means = [fmean(each[column] for each in scores) for column in range(3)]
        found[name] = dict(zip(("f1", "precision", "recall"), means, strict=True))
    return found


def formula_scores() -> dict[str, Any]:
    """Means over the encodings, and the encodings that fall short in each hand."""
    found: dict[str, Any] = {"encodings": len(ENCODINGS)}
    pages = {name: torture_page(encoding) for name, encoding in ENCODINGS.items()}
    for hand_name, hand in {"ours": ours_text, **_PEERS}.items():
        measured = {name: measure(hand(page), truth) for name, (page, truth) in pages.items()}
        means = {key: fmean(each[key] for each in measured.values()) for key in measured["Pandoc"]}
        short = {n: round(m["delimited"], 2) for n, m in measured.items() if m["delimited"] < 1}
        found[hand_name] = {**means, "below_1_delimited": short}
    return found


def speeds(pages: list[RawPage], rounds: int) -> dict[str, Any]:
    """Pages per CPU second of each hand, and how many times each peer's ours is."""
    texts = [decode(page.body, page.charset) for page in pages]
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: [extract_page(page) for page in pages]
    }
    for name, hand in _PEERS.items():
        # Slow hands take every fourth page, so that a round stays short.
        some = texts[::4] if name == "trafilatura" else texts
        works[name] = lambda hand=hand, some=some: [hand(text) for text in some]
    times = medians(cpu_seconds(works, rounds, least_s=0.0))
    rates = {name: len(pages) / seconds for name, seconds in times.items()}
    rates["trafilatura"] *= len(texts[::4]) / len(texts)
    return {
        "pages": len(pages),
        "mean_kilobytes": fmean(len(page.body) for page in pages) / 1000,
        "pages_per_cpu_s": rates,
        "ours_times": {name: rates["ours"] / rates[name] for name in _PEERS},
    }


def world_pages(folder: Path, count: int) -> tuple[list[RawPage], list[tuple[str, str]]]:
    """Pages of the embedded world, and those of them whose formulas are marked up, with truth."""
    settings = WorldSettings(pages=count, benchmark_size=20, gsm8k_size=20)
    make_world(settings, Job.open(folder))
    truth = {row["url"]: row for row in read_parquet(folder / "truth.parquet").to_pylist()}
    pages = [page for path in sorted((folder / "warc").iterdir()) for page in read_pages(path)]
    marked = [
        (decode(page.body, page.charset), truth[page.url]["text"])
        for page in pages
        if truth[page.url]["encoding"] != "plain"
    ]
    return pages, marked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crawl", type=Path, required=True, help="folder of WARC files")
    parser.add_argument("--articles", type=Path, required=True, help="folder of articles.jsonl.gz")
    parser.add_argument("--pages", type=int, default=240, help="pages of each kind to time")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    crawl = [
        page
        for path in sorted(given.crawl.glob("*.warc.gz"))
        for page in read_pages(path)
        if page.url.split("/")[2] in _MATH_HOSTS
    ]
    with gzip.open(given.articles / "articles.jsonl.gz", "rt", encoding="utf-8") as file:
        articles = [json.loads(line) for line in file]
    news = [RawPage(a["url"], "", a["html"].encode(), "utf-8") for a in articles]
    with tempfile.TemporaryDirectory() as folder:
        world, marked = world_pages(Path(folder), 1000)
    every = {"math documentation": crawl, "news": news, "embedded world": world}
    found = {
        "benchmark": "page to text with formulas",
        "formulas": formula_scores(),
        "main_text": {
            "articles": main_text_scores([(a["html"], a["text"]) for a in articles]),
            "embedded world": main_text_scores(marked[:300]),
        },
        "speed": {
            kind: speeds(pages[:: max(1, len(pages) // given.pages)], given.rounds)
            for kind, pages in every.items()
        },
    }
    save("extraction", found, ("trafilatura", "resiliparse", "numba"))


if __name__ == "__main__":
    main()
