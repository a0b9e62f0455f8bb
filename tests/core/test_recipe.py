from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, create_model

from seekmath.core.files import BadInput
from seekmath.core.recipe import Settings, Source, StageType, load_recipe, sources, with_sources


class Part(Settings):
    size: int = 0


class Make(Settings):
    pages: int = Field(10, ge=1, description="How many.")
    flavour: Literal["sweet", "sour"] = "sweet"
    more: list[Part] = []


class Take(Settings):
    crawl: list[Source]
    models: dict[str, Source] = {}
    labels: Source = ""
    weights: dict[str, float] = {}


TYPES = {"make": StageType(Make, "x:y"), "take": StageType(Take, "x:y")}
GOOD = """
name: small
seed: 3
stages:
  make: {pages: 5}
  take: {crawl: [make/warc], models: {a: make}, weights: {x: 1}}
"""


def load(tmp_path: Path, text: str, *overrides: str):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    return load_recipe(path, list(overrides), TYPES)


def test_a_recipe_is_read_in_order_with_typed_settings(tmp_path):
    recipe = load(tmp_path, GOOD)
    assert [stage.name for stage in recipe.stages] == ["make", "take"]
    assert recipe.stages[0].settings == Make(pages=5)
    assert dict(sources(recipe.stages[1].settings)) == {"crawl.0": "make/warc", "models.a": "make"}


def test_overrides_reach_fields_nested_fields_and_the_seed(tmp_path):
    recipe = load(tmp_path, GOOD, "make.pages=7", "take.weights.y=2.5", "seed=9", "make.seed=1")
    assert recipe.stages[0].settings.pages == 7
    assert recipe.stages[1].settings.weights == {"x": 1, "y": 2.5}
    assert [stage.seed for stage in recipe.stages] == [1, 9]


def test_the_written_recipe_reads_back_as_the_same(tmp_path):
    recipe = load(tmp_path, GOOD, "make.pages=7")
    again = load(tmp_path, recipe.as_yaml())
    assert again.stages == recipe.stages


def test_sources_are_replaced_by_label():
    settings = Take(crawl=["a", "b"], models={"m": "c"}, labels="d")
    moved = with_sources(settings, {"crawl.1": "B", "models.m": "C", "labels": "D"})
    assert moved == Take(crawl=["a", "B"], models={"m": "C"}, labels="D")


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        (GOOD.replace("pages", "pagse"), [], ["r.yaml: stages.make.pagse", "'pages'", "flavour"]),
        (
            GOOD.replace("pages: 5", "pages: 5, more: [{size: 1, sise: 2}]"),
            [],
            ["stages.make.more.0.sise: found 'sise' (did you mean 'size'?); allowed: size"],
        ),
        (GOOD, ["make.pages=many"], ["stages.make.pages", "'many'", "a whole number, at least 1"]),
        (GOOD, ["make.pages=0"], ["found 0", "at least 1"]),
        (GOOD, ["make.flavour=bitter"], ["found 'bitter'", "one of sweet, sour"]),
        (GOOD, ["maek.pages=1"], ["'maek'", "did you mean 'make'"]),
        (GOOD, ["pages"], ["expected key=value"]),
        (GOOD, ["sed=1"], ["'sed'", "did you mean 'seed'"]),
        (GOOD, ["seed=-1"], ["found -1", "whole number from 0"]),
        (GOOD.replace("make/warc", "amke/warc"), [], ["take.crawl.0", "did you mean 'make'"]),
        (GOOD.replace("take: {", "take: {type: tkae, "), [], ["take.type", "did you mean 'take'"]),
        (GOOD.replace("seed: 3", "sede: 3"), [], ["sede", "did you mean 'seed'"]),
        (GOOD.replace("seed: 3", "seed: 3\nseed: 4"), [], ["'seed' is given twice", ":4:"]),
        ("name: x\n", [], ["stages: expected a mapping"]),
        ("name: [", [], ["not valid YAML"]),
        ("stages: {take: {}}", [], ["stages.take.crawl: missing", "a list of text"]),
        ("stages: {take: {crawl: [take]}}", [], ["take.crawl.0", "a path that exists"]),
    ],
)
def test_a_mistake_is_refused_with_place_finding_and_fix(tmp_path, text, overrides, words):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, text, *overrides)
    for word in words:
        assert word in str(caught.value)


def test_a_bound_is_said_once(tmp_path):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, GOOD, "make.pages=0")
    assert str(caught.value) == (
        f"{tmp_path}/r.yaml: stages.make.pages: found 0; allowed: a whole number, at least 1"
    )


def test_of_many_settings_the_nearest_are_named_and_where_all_stand(tmp_path):
    many = create_model("Many", __base__=Settings, **{f"side_{n}": (int, n) for n in range(30)})
    path = tmp_path / "r.yaml"
    path.write_text("stages: {many: {sida_4: 1}}")
    with pytest.raises(BadInput) as caught:
        load_recipe(path, [], {"many": StageType(many, "x:y", command="make many")})
    assert "found 'sida_4' (did you mean 'side_4' or " in str(caught.value)
    assert "30 names, listed by: seekmath make many --help" in str(caught.value)
    assert "side_20" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="no such recipe file"):
        load_recipe(tmp_path / "absent.yaml", [], TYPES)


def test_stages_share_settings_by_anchor(tmp_path):
    text = "stages:\n  a: &a {type: make, pages: 7}\n  b: {<<: *a, pages: 9}\n  c: *a\n"
    path = tmp_path / "r.yaml"
    path.write_text(text)
    stages = load_recipe(path, [], TYPES).stages
    assert [(stage.type_name, stage.settings.pages) for stage in stages] == [
        ("make", 7), ("make", 9), ("make", 7),
    ]  # fmt: skip
