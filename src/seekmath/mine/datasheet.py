"""Datasheet and dataset card of a mined corpus (after Gebru et al. 2021), from what was counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from seekmath.core.places import join, put_json, writing
from seekmath.mine.settings import MineSettings

#: What each column of ``corpus/*.parquet`` holds (``core.records.DOCUMENT``).
COLUMNS = {
    "url": "address of the page, as crawled",
    "host": "its host, lower-case, without www",
    "path": "its path",
    "language": "language of the text",
    "title": "title of the page",
    "text": "main text; formulas as LaTeX between $…$ or $$…$$",
    "formulas": "number of formulas in the text",
    "source": "file:offset:length of the record it was read from",
    "digest": "hash of the text before decontamination",
    "round": "first round that collected the page; 0: none did",
    "score": "probability given by the last round's classifier",
    "prefix": 'longest marked URL prefix that it stands under, or ""',
    "stands_for": "addresses of the duplicates that were dropped for it",
}
_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B")


def write_datasheet(place: str, sheet: Mapping[str, Any]) -> None:
    """``datasheet.json`` and a card that model hubs read, beside the folder ``corpus``.

    In it they would be in the way of those who read a folder of Parquet as one table.
    """
    put_json(join(place, "datasheet.json"), sheet)
    with writing(join(place, "README.md")) as file:
        file.write(card(sheet).encode())


def datasheet(
    settings: MineSettings,
    corpus: Sequence[Mapping[str, Any]],
    funnel: Sequence[Mapping[str, Any]],
    last: Mapping[str, Any],
) -> dict[str, Any]:
    """Sizes, languages, hosts, filters and columns of a corpus.

    Args:
        settings: of the run.
        corpus: the manifests of the corpus's parts.
        funnel: pages kept and dropped by step and reason.
        last: the report of the last round.
    """
    languages: Counter[str] = Counter()
    for part in corpus:
        languages.update(part["languages"])
    counted = ("documents", "tokens", "characters", "formulas", "duplicates")
    names = {"seeds", "keep_tokens", "least_score", "host_share", "prefix_share", "least_words"}
    names |= {"shingle", "bands", "rows", "jaccard", "granularity", "annotator", "benchmarks"}
    return {
        "sizes": {name: sum(part.get(name, 0) for part in corpus) for name in counted},
        "languages": dict(languages.most_common()),
        "hosts": {
            "count": last["hosts_collected"],
            "largest": [
                {"host": row["host"], "documents": row["collected"]}
                for row in last["hosts"][:20]
                if row["collected"]
            ],
        },
        "rounds": last["round"],
        "cut_score": last["cut_score"],
        "licences": "unknown: the texts belong to the authors of the pages",
        "filters": list(funnel),
        "settings": settings.model_dump(mode="json", include=names),
        "columns": COLUMNS,
    }


def card(sheet: Mapping[str, Any]) -> str:
    """The dataset card: a YAML head and what the datasheet says, as Markdown."""
    sizes = sheet["sizes"]
    languages = [name for name in sheet["languages"] if len(name) in (2, 3)]
    head = {
        "license": "unknown",
        "language": languages,
        "task_categories": ["text-generation"],
        "size_categories": [_size_category(sizes["documents"])],
        "tags": ["web", "mined"],
        "configs": [{"config_name": "default", "data_files": "corpus/*.parquet"}],
    }
    share = max(sizes["documents"], 1)
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# A corpus mined from web pages\n",
        f"{sizes['documents']:,} documents, {sizes['tokens']:,} words (a Chinese character counts"
        f" as one), {sizes['characters']:,} characters, {sizes['formulas']:,} formulas, from"
        f" {sheet['hosts']['count']:,} hosts; {sizes['duplicates']:,} duplicates of these were"
        " dropped.\n",
        "Mined in rounds as in DeepSeekMath (arXiv 2402.03300, section 2.1): a classifier trained"
        " on seed pages ranks the crawl, pages of the hosts it finds join the seeds, and again"
        f" ({sheet['rounds']} rounds). Lowest score collected: {sheet['cut_score']:.4f}.\n",
        *_cut(sheet.get("cut")),
        _table("Languages", "language", "documents", sheet["languages"].items(), share),
        _table(
            "Largest hosts, before decontamination",
            "host",
            "documents",
            [(row["host"], row["documents"]) for row in sheet["hosts"]["largest"]],
            share,
        ),
        _filters(sheet["filters"]),
        "## Columns\n\n| column | what it holds |\n|---|---|\n"
        + "".join(f"| {name} | {what} |\n" for name, what in sheet["columns"].items()),
        "## Licences and use\n\nLicences are unknown: the texts belong to the authors of the pages."
        " Pages may hold personal data and errors; nothing was checked by a person."
        " Every document names its page and the record it was read from, so that it can be checked"
        " and taken out.\n",
    ]
    return "\n".join(parts)


def _cut(cut: Mapping[str, int] | None) -> list[str]:
    if not cut:
        return []
    return [
        f"Cut {cut['number']} of {cut['of']}: the best-ranked pages of the whole crawl within"
        f" {cut['budget']:,} words, whether or not the run collected them; each cut holds the"
        " smaller ones.\n"
    ]


def _table(title: str, what: str, unit: str, rows: Any, total: int) -> str:
    lines = "".join(
        f"| {_plain(name)} | {count:,} | {count / total:.1%} |\n" for name, count in rows
    )
    return f"## {title}\n\n| {what} | {unit} | share |\n|---|---|---|\n{lines}"


def _filters(funnel: Sequence[Mapping[str, Any]]) -> str:
    lines = ""
    for step in funnel:
        reasons = ", ".join(
            f"{name.replace('_', ' ')} {n:,}" for name, n in step["dropped"].items()
        )
        lines += f"| {step['step']} | {step['kept']:,} | {_plain(reasons)} |\n"
    return f"## Filters\n\n| step | pages kept | dropped |\n|---|---|---|\n{lines}"


def _plain(text: str) -> str:
    """Crawled text without what Markdown would read as mark-up."""
    return "".join(" " if char in "|`<>[]*_\\\n" else char for char in text)


def _size_category(documents: int) -> str:
    bounds = [10 ** (3 + power) for power in range(len(_SIZES))]
    for at, bound in enumerate(bounds):
        if documents < bound:
            return f"{_SIZES[at - 1]}<n<{_SIZES[at]}" if at else f"n<{_SIZES[0]}"
    return f"n>{_SIZES[-1]}"
