"""The package's optional extras: what each is for, and the packages that it brings."""

import re
from importlib import metadata

#: Extra → what it is for. Their packages stand in pyproject.toml alone.
EXTRAS = {
    "mine": "mining and `seekmath extract`",
    "annotate": "marking URL prefixes in a web page",
    "brotli": "pages stored with that encoding",
    "s3": "crawls in S3",
    "ray": "mining on a Ray cluster",
    "train": "training, GRPO, evaluation of models on this machine",
    "lora": "adapters in fine-tuning",
    "track": "TensorBoard and Weights & Biases",
    "evaluate": "evaluation of a server",
    "hub": "benchmarks from a hub",
    "report": "reports",
    "tools": "sympy in the programs that models write",
    "bench": "the peers of benchmarks/",
    "dev": "tests and checks",
}


def packages_of(extra: str) -> list[str]:
    """Names of the distributions that an extra asks for."""
    named = (re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", one) for one in _requirements())
    return [match[1] for match in named if match and match[2] == extra]


def missing_of(extra: str) -> list[str]:
    """Those of an extra's distributions that are not installed."""
    return [name for name in packages_of(extra) if not _installed(name)]


def extra_with(module: str) -> str:
    """The first extra that brings a module called as its distribution is, or ""."""
    wanted = module.split(".")[0].replace("_", "-").lower()
    return next((extra for extra in EXTRAS if wanted in packages_of(extra)), "")


def _requirements() -> list[str]:
    return metadata.requires("seekmath") or []


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
