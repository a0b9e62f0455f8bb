"""Settings of the stage ``world``."""

from typing import Literal

from pydantic import Field

from seekmath.core.recipe import Settings


class WorldSettings(Settings):
    """Sizes and rates of the embedded world."""

    pages: int = Field(12_000, ge=100, description="Pages of the web.")
    pages_per_file: int = Field(1500, ge=10, description="Pages in a WARC file.")
    hosts: int = Field(240, ge=40, description="Hosts of the web.")
    web_slip_rate: float = Field(
        0.25, ge=0, le=1, description="Share of worked problems on pages that read fewer as more."
    )
    slip_rate: float = Field(
        0.25, ge=0, le=1, description="The same share among the training problems' solutions."
    )
    training_problems: dict[str, int] = Field(
        {
            "gsm8k": 4000,
            "math": 800,
            "ocw": 300,
            "sat": 400,
            "mmlu-stem": 400,
            "cmath": 600,
            "gaokao-cloze": 300,
            "gaokao-qa": 300,
        },
        description="Training problems of each family with a chain-of-thought solution.",
    )
    program_share: float = Field(
        0.1, ge=0, le=1, description="Besides, problems with a program, and as many with a tool."
    )
    benchmark_size: int = Field(100, ge=1, description="Test problems of each mini benchmark.")
    gsm8k_size: int = Field(500, ge=1, description="Test problems of mini-gsm8k.")
    formal_problems: int = Field(
        0, ge=0, description="Training theorems of Coq with proofs, in problems/formal.jsonl."
    )
    formal_size: int = Field(0, ge=0, description="Test theorems of Coq, in mini-minif2f.")
    contamination: float = Field(
        0.01, ge=0, le=1, description="Share of mathematics pages that quote a test problem."
    )
    corpora: dict[Literal["code", "papers", "general", "solutions"], int] = Field(
        {}, description="Documents of corpora beside the web, in corpora/NAME/*.parquet."
    )
