"""Every extra of pyproject.toml is told of, with what it brings and whether that is there."""

import tomllib
from importlib import metadata
from pathlib import Path

from seekmath.core.extras import EXTRAS, extra_with, missing_of, packages_of

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_every_extra_is_told_of_but_their_sum():
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"]) - {"all"}


def test_an_extra_has_the_packages_of_the_installed_metadata():
    assert packages_of("s3") == ["s3fs"]
    assert "torch" in packages_of("train")
    assert missing_of("mine") == []


def test_what_is_not_installed_is_missing(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda _: ["absent-one>=2; extra == 'ray'", "numpy"])
    assert missing_of("ray") == ["absent-one"]
    assert missing_of("s3") == []


def test_a_missing_module_leads_to_its_extra():
    assert extra_with("charset_normalizer.md") == "mine"
    assert extra_with("ray") == "ray"
    assert extra_with("nowhere") == ""
