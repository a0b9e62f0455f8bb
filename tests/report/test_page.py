import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, write_json
from seekmath.report.page import write_report
from tests.report.run_files import HOSTILE, STAGES, make_run, manifest

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """Elements and attributes of a page; unbalanced tags are an error, as XML has it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def outline(path: Path) -> Outline:
    parsed = Outline()
    parsed.feed(path.read_text("utf-8"))
    parsed.close()
    assert parsed.open == []
    return parsed


def test_every_section_is_filled_and_the_mark_up_is_balanced(run_dir) -> None:
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    page = outline(path)
    for shown in (
        "These are not the real benchmarks",
        "mini-gaokao-cloze",
        "64.0%",
        "17 min 08 s",
        "near duplicate 900",
        "Average precision",
        "forum.example",
        "2,400 benchmark texts",
        "bits per byte",
        "Accuracy on questions kept out",
        "KL to the reference",
        "Maj@K on mini-gsm8k",
        "step 140",
        "✓ right",
        "−0.38",
        "No variance: every output earned the same",
        "torch 2.11.0",
    ):
        assert shown in page.text, shown


def test_the_same_run_gives_the_same_bytes(run_dir, tmp_path) -> None:
    first = write_report(run_dir).read_bytes()
    assert write_report(run_dir, tmp_path / "elsewhere" / "page.html").read_bytes() == first


def test_hostile_text_stays_text_and_nothing_is_loaded(tmp_path) -> None:
    page = outline(write_report(make_run(tmp_path / "run", HOSTILE)))
    assert page.text.count("document.title=") >= 10
    assert not page.tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "srcset", "data", "action", "xlink:href"}
        if name == "href":
            assert value.startswith("#")
    style = re.search("<style>(.*?)</style>", (tmp_path / "run/report.html").read_text(), re.S)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_browser_shows_hostile_text_without_running_it(tmp_path) -> None:
    path = write_report(make_run(tmp_path / "run", HOSTILE))
    # Without the policy, so that escaping is tried on its own.
    text = re.sub("<meta http-equiv.*?>", "", path.read_text("utf-8"))
    path.write_text(text, "utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
               "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
               f"file://{path}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "<title>laptop – seekmath report</title>" in done.stdout
    assert "<script" not in done.stdout
    assert "&lt;script&gt;document.title" in done.stdout


def test_a_run_that_has_hardly_begun_says_what_is_missing(tmp_path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: new\nstages: {mine: {}, sft: {}, grpo: {}}")
    manifest(tmp_path / "grpo", "grpo", 3.0, {}, state="running")
    text = outline(write_report(tmp_path)).text
    for shown in (
        "not started",
        "running, or cut off",
        "No evaluation has finished",
        "mining has not started",
        "grpo has logged nothing yet",
        "grpo has kept no rollouts yet",
    ):
        assert shown in text, shown


def test_a_folder_of_one_stage_shows_the_sections_that_it_can_fill(run_dir) -> None:
    text = outline(write_report(run_dir / "grpo")).text
    assert "Learning curves" in text
    assert "Rollouts of GRPO" in text
    assert "Accuracy" not in text
    assert "mines nothing" not in text


@pytest.mark.parametrize("name", STAGES)
def test_any_stage_may_be_missing_or_empty(tmp_path, name) -> None:
    run_dir = make_run(tmp_path / "run")
    for path in (run_dir / name).iterdir():
        if path.name != "stage.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    outline(write_report(run_dir))
    shutil.rmtree(run_dir / name)
    assert "not started" in outline(write_report(run_dir)).text


def test_values_that_are_not_finite_and_lone_surrogates_do_not_stop_the_page(run_dir) -> None:
    results = json.loads((run_dir / "evaluate/results.json").read_text())
    for estimate in results.values():
        estimate["low"] = float("nan")
    write_json(run_dir / "evaluate/results.json", results)
    broken = {"items": [{"item": "\ud800", "urls": []}]}
    (run_dir / "mine/contamination.json").write_text(json.dumps(broken))
    with open(run_dir / "grpo/metrics.jsonl", "a") as file:
        file.write('{"step": 141, "kl": NaN, "entropy": Infinity, "reward_mean": null}\n{"step')
    outline(write_report(run_dir))


def test_a_failed_stage_shows_its_error(tmp_path) -> None:
    manifest(tmp_path / "sft", "sft", 3.0, {}, state="failed", error="BadInput: no <b>file</b>")
    assert "BadInput: no <b>file</b>" in outline(write_report(tmp_path)).text


def test_the_gain_over_seeds_is_shown_when_it_was_measured(run_dir) -> None:
    assert "What GRPO gained" not in outline(write_report(run_dir)).text
    seeds = [{"seed": n, "before": 0.5, "after": 0.6 + n / 100} for n in range(3)]
    write_json(run_dir / "grpo_gain.json", {"benchmark": "mini-gsm8k", "seeds": seeds})
    text = outline(write_report(run_dir)).text
    assert "over 3 seeds" in text
    assert "+11.0" in text
    assert "+8.5 to +13.5" in text


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(BadInput, match="neither"):
        write_report(tmp_path)


def test_the_report_imports_neither_torch_nor_the_crawling_tools() -> None:
    code = "import sys, seekmath.report.page as _; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numba", "fasttext", "matplotlib"} & set(done.stdout.split())
