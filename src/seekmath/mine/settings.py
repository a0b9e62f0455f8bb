"""Settings of the mining stages. The paper's values are the defaults where it states any."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from seekmath.core.recipe import Settings, Source


class MineSettings(Settings):
    """``mine``: from WARC files and seed pages to a corpus, round by round (section 2.1)."""

    crawl: list[Source] = Field(
        [],
        description="WARC or WET files, Parquet with url and text, folders of them, or URLs"
        " (https, s3).",
        json_schema_extra={"option": "WARC"},
    )
    snapshot: str = Field(
        "", description="A Common Crawl snapshot to read as well, such as CC-MAIN-2024-33."
    )
    files: str = Field(":", description="Snapshot: which of its files, such as 0:100.")
    form: Literal["warc", "wet"] = Field("warc", description="Snapshot: pages, or their text.")
    hosts: Source = Field(
        "",
        description="Snapshot: read only pages of these hosts, found in its URL index: a file"
        " with example.org, *.example.org or example.org/path/ a line.",
    )
    base_url: str = Field(
        "https://data.commoncrawl.org/", description="Snapshot: where snapshots lie."
    )
    index_url: str = Field(
        "https://index.commoncrawl.org/", description="Snapshot: the server of its URL index."
    )
    index: Literal["server", "table"] = Field(
        "server",
        description="Snapshot: where hosts are looked up, its index server, or the columnar index"
        " beside the snapshots, read by byte range.",
    )
    seeds: Source = Field(description="The seed pages: a text file with one URL per line.")
    benchmarks: Source = Field(
        "", description="JSON-lines file or folder of benchmark items to keep out of the corpus."
    )
    labels: Source = Field(
        "", description="Parquet or JSON lines with url and math or label; for measuring only."
    )
    workers: int = Field(2, ge=0, le=256, description="Processes; 0 works in this one.")
    page_cpu_s: float = Field(
        20.0, gt=0, description="Processor seconds a page may take before it is quarantined."
    )
    page_memory_mib: int = Field(
        2048, ge=0, description="MiB a worker may allocate before its page is quarantined; 0: any."
    )
    executor: Literal["local", "ray"] = Field(
        "local", description="This machine's cores, or tasks on the Ray cluster of RAY_ADDRESS."
    )
    least_words: int = Field(20, ge=0, description="Shorter pages are dropped.")

    shingle: int = Field(5, ge=1, le=20, description="Words (Chinese: characters) per shingle.")
    bands: int = Field(14, ge=1, description="MinHash bands (FineWeb: 14).")
    rows: int = Field(8, ge=1, description="Minima in a band (FineWeb: 8).")
    jaccard: float = Field(
        0.8, ge=0, le=1, description="Estimated similarity from which two pages are duplicates."
    )
    dedup_index: str = Field(
        "",
        description="Folder of what earlier runs have kept: pages like one of these are dropped,"
        " and what this run keeps is added.",
    )
    dedup_memory_mib: int = Field(
        256, ge=16, description="MiB that a partition of de-duplication may take."
    )

    dim: int = Field(256, ge=1, description="fastText vector size (paper: 256).")
    width: int = Field(
        256,
        ge=1,
        description="Numbers of a vector that are trained: `dim` or more is fastText exactly;"
        " fewer are faster and vary more with the seed.",
    )
    learning_rate: float = Field(0.1, gt=0, description="fastText learning rate (paper: 0.1).")
    word_ngrams: int = Field(3, ge=1, le=5, description="Longest word n-gram (paper: 3).")
    min_count: int = Field(3, ge=1, description="Rarer words are left out (paper: 3).")
    epochs: int = Field(3, ge=1, description="Passes over the training pages (paper: 3).")
    least_updates: int = Field(
        0,
        ge=0,
        description="More epochs until this many training pages were seen; for few seeds, with"
        " which the paper's 3 epochs (3,000,000 pages) are too few updates to learn anything.",
    )
    buckets: int = Field(
        2_000_000, ge=1, description="Hash buckets for n-grams (fastText's default: 2,000,000)."
    )
    scored_words: int = Field(1_000, ge=1, description="Words of a page that fastText reads.")
    least_hosts: int = Field(
        1,
        ge=1,
        description="Words on fewer hosts of the training pages are left out; where seeds stand"
        " on few hosts, one more than these keeps the classifier from learning the hosts' names.",
    )
    scorer: Source = Field(
        "",
        description="Instead of fastText: a Python file with score(texts), which returns a number"
        " from 0 to 1 for each text.",
    )
    seed_limit: int = Field(500_000, ge=1, description="Most positive pages (paper: 500,000).")
    negatives_per_seed: float = Field(
        1.0, gt=0, description="Random pages for each positive page (paper: 1)."
    )
    negatives_off_score: float = Field(
        1.0,
        ge=0,
        le=1,
        description="From round 2 on no random pages that score this or more on hosts of which"
        " surely over host_share was collected: many are of the domain too; 1: any random page.",
    )

    keep_tokens: int = Field(
        0, ge=0, description="Token budget of the corpus (paper: 40B in round 1); 0: no limit."
    )
    least_score: float = Field(
        0.5, ge=0, le=1, description="Pages scored below are not collected whatever the budget."
    )
    host_share: float = Field(
        0.1, ge=0, le=1, description="A host with more than this share collected is a candidate."
    )
    least_host_pages: int = Field(5, ge=1, description="Smaller hosts are no candidates.")
    annotator: Literal["threshold", "file", "llm", "wait"] = Field(
        "threshold",
        description="Who marks prefixes: an automatic policy, a file, a language model, or people"
        " at the page of 'seekmath annotate', for whom each round waits.",
    )
    annotations: Source = Field("", description="Annotator file: CSV or JSON lines with prefix.")
    annotator_endpoint: str = Field(
        "",
        description="Annotator llm: an OpenAI-compatible server, such as http://localhost:8000/v1.",
    )
    annotator_model: str = Field("", description="Annotator llm: the model's name there.")
    annotator_patience_s: float = Field(
        600.0, gt=0, description="Annotator llm: seconds without an answer before the run gives up."
    )
    domain: str = Field("mathematics", description="What people and models are asked to mark.")
    prefix_share: float = Field(
        0.5, gt=0, le=1, description="Annotator threshold: least share collected under a prefix."
    )
    least_prefix_pages: int = Field(
        5, ge=1, description="Annotator threshold: least pages under a prefix."
    )
    rounds: int = Field(4, ge=1, description="Most rounds (paper: 4).")
    stop_share: float = Field(
        0.98,
        gt=0,
        le=1,
        description="Stop when this share of a round's pages was collected in the round before,"
        " and as many of the next one's seeds were seeds in it.",
    )
    granularity: Literal["segment", "page"] = Field(
        "segment", description="What a benchmark hit removes: the paragraph or the whole page."
    )

    @model_validator(mode="after")
    def _something_to_read(self) -> "MineSettings":
        if not (self.crawl or self.snapshot):
            raise ValueError("name crawl files, or a snapshot")
        if self.hosts and not self.snapshot:
            raise ValueError("hosts: needs a snapshot, whose URL index finds their pages")
        return self

    @model_validator(mode="after")
    def _file_needs_annotations(self) -> "MineSettings":
        if (self.annotator == "file") != bool(self.annotations):
            raise ValueError("annotator: file and annotations: FILE need each other")
        if (self.annotator == "llm") != bool(self.annotator_endpoint and self.annotator_model):
            raise ValueError(
                "annotator: llm needs annotator_endpoint and annotator_model, and they need it"
            )
        return self


class DecontaminateSettings(Settings):
    """``decontaminate``: take benchmark text out of a corpus (section 2.1)."""

    corpus: Source = Field(description="Parquet file or folder with url and text.")
    benchmarks: Source = Field(
        description="JSON-lines file, or a folder of them, with question, answer, solution."
    )
    granularity: Literal["segment", "page"] = Field(
        "segment", description="What a hit removes: the paragraph or the whole page."
    )


class CutsSettings(Settings):
    """``mine cuts``: corpora of the best-ranked pages, for trials to choose from (section 2.1)."""

    mined: Source = Field(
        description="Folder of a finished mining run.", json_schema_extra={"option": "RUN"}
    )
    tokens: list[int] = Field(
        [], description="Tokens of each cut, rising (paper: 40B 80B 120B 160B); or see largest."
    )
    largest: int = Field(
        0,
        ge=0,
        description="Tokens of the last of four cuts, the others 1/4, 2/4 and 3/4 of it; 0: what"
        " the run collected.",
    )
    benchmarks: Source = Field(
        "", description="Benchmark items to keep out; empty: those that the run kept out."
    )
    workers: int = Field(2, ge=0, le=256, description="Processes; 0 works in this one.")
    executor: Literal["local", "ray"] = Field(
        "local", description="This machine's cores, or tasks on the Ray cluster of RAY_ADDRESS."
    )

    @model_validator(mode="after")
    def _budgets_rise(self) -> "CutsSettings":
        if self.tokens and self.largest:
            raise ValueError("give tokens or largest, not both")
        if any(b <= a for a, b in pairwise([0, *self.tokens])):
            raise ValueError(f"tokens: {self.tokens}: needed: numbers above 0, each above the last")
        return self
