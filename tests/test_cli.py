"""The command line as a user meets it: exit codes, help, and messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seekmath.cli import _COMMANDS
from seekmath.stages import STAGES

GRPO = ["grpo", "--model", "m", "--problems", "p", "--out", "o"]


GRPO = ["grpo", "--model", "m", "--problems", "p", "--out", "o"]


def seekmath(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seekmath.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_every_stage_has_a_command_and_help_of_its_own():
    made = {name.split()[-1] for name, entry in _COMMANDS.items() if not entry.place}
    assert made == set(STAGES)


@pytest.mark.parametrize("name", [*_COMMANDS, ""])
def test_help_is_printed_with_an_example(name):
    done = seekmath(*([name] if name else []), "--help")
    assert done.returncode == 0, done.stderr
    assert "seekmath" in done.stdout
    if name:
        assert "Example" in done.stdout


def test_what_must_be_given_stands_first_and_settings_go_by_their_options():
    text = " ".join(seekmath("grpo", "--help").stdout.split())
    assert text.index("--problems") < text.index("--clip-norm")
    assert "JSON lines with question and answer" in text
    assert "[required]" in text
    assert "0: --clip-epsilon." in text


@pytest.mark.parametrize("name", ["run", "mine", "run-programs"])
def test_an_example_can_be_copied_from_one_line(name):
    lines = [line.strip() for line in seekmath(name, "--help").stdout.splitlines()]
    assert [line for line in lines if line.startswith(f"seekmath {name} ") and "--out " in line]


def test_the_top_help_imports_nothing_heavy():
    heavy = "{'torch', 'pyarrow', 'numpy', 'pydantic'}"
    program = f"import sys, seekmath.cli; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grop"], "Did you mean 'grpo'?"),
        (["run", "absent.yaml"], "absent.yaml: no such recipe file"),
        (
            ["grpo", "--model", "m", "--problems", "p", "--out", "o", "--group-size", "1"],
            "at least 2",
        ),
        (["sft", "--model", "absent", "--problems", "p", "--out", "o"], "--model: absent: no such"),
        (["extract", "absent.html"], "absent.html: no such file"),
        (["grade", "--pairs", "absent", "--out", "o"], "absent: no such file"),
        (["report", "absent"], "absent"),
        (
            ["evaluate", "--model", "absent", "--benchmark", "b", "--out", "o"],
            "--model absent: abs",
        ),
        (["evaluate", "--benchmark", "b", "--out", "o"], "needs --model FOLDER"),
        (["evaluate", "--limit", "-1", "--out", "o"], "seekmath evaluate --limit: found '-1'"),
        ([*GRPO, "--stop-on", "kll"], "--stop-on: found 'kll' (did you mean 'kl'?)"),
        ([*GRPO, "--supervision", "process"], "--supervision process needs --process-model FOLDER"),
        (
            ["mine", "w", "--seeds", "s", "--out", "o", "--annotator", "llm"],
            "--annotator llm needs --annotator-endpoint and --annotator-model",
        ),
        (["grade", "1", "2", "--explan"], "No such option"),
    ],
)
def test_bad_input_ends_with_2_and_says_why(tmp_path, arguments, words):
    done = seekmath(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_pairs_are_graded_and_pages_extracted(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"gold": "1/2", "prediction": "so \\\\boxed{0.5}"}\n')
    done = seekmath("grade", "--pairs", "pairs.jsonl", "--out", "graded.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    graded = json.loads((tmp_path / "graded.jsonl").read_text())
    assert (graded["verdict"], graded["extracted"]) == (True, "0.5")
    (tmp_path / "p.html").write_text("<title>T</title><p>Let <b>x</b> be \\(x^2\\), a square.</p>")
    done = seekmath("extract", "p.html", "--json", cwd=tmp_path)
    page = json.loads(done.stdout)
    assert (page["title"], page["text"]) == ("T", "Let x be $x^2$, a square.")


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.png: is a PNG image; give HTML"),
        ("a.pdf", b"%PDF-1.5\n<<a>>", "a.pdf: is a PDF"),
        ("a.html", b"\x1f\x8b\x08\0", "compressed with gzip and not named .warc.gz"),
        ("a", bytes(range(256)) + b"<p>x", "a: is binary data, not text"),
        ("a.html", b"", "a.html: is empty"),
        ("a.warc", b"\x89PNG" + b"x" * 99, "a.warc: holds no page; skipped: bytes between"),
    ],
)
def test_what_is_no_page_is_refused_by_name(tmp_path, name, body, words):
    (tmp_path / name).write_bytes(body)
    done = seekmath("extract", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_text_without_tags_is_printed_as_it_stands(tmp_path):
    text = "Let 1 < 2.\n\n  - AT&amp;T"
    (tmp_path / "p.txt").write_bytes(text.encode("utf-16"))
    (tmp_path / "p.html").write_bytes(b"<p>stray \x01 byte</p>")
    done = seekmath("extract", "p.txt", "p.html", "--json", cwd=tmp_path)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [
        text,
        "stray byte",
    ]


def test_a_title_that_is_the_first_heading_is_printed_once(tmp_path):
    for name, title in (("same.html", "Sums"), ("other.html", "Sums, explained")):
        page = f"<title>{title}</title><h1>Sums</h1><p>One and two are three, as is known.</p>"
        (tmp_path / name).write_text(page)
    done = seekmath("extract", "same.html", "other.html", cwd=tmp_path)
    text = "# Sums\n\nOne and two are three, as is known.\n\n"
    assert done.stdout == f"{text}# Sums, explained\n\n{text}"


def test_an_answer_may_begin_with_a_minus_sign():
    done = seekmath("grade", "-5", r"-\sinh(2)", "--json", "--choice", "-1")
    assert json.loads(done.stdout)["extracted"] is None
    done = seekmath("grade", "-5", "-5", "--json")
    assert json.loads(done.stdout)["verdict"] is True


@pytest.mark.parametrize("value", ["null", "[1]", "true"])
def test_pairs_that_hold_no_text_are_refused_and_the_input_is_not_overwritten(tmp_path, value):
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(f'{{"gold": 1, "prediction": {value}}}\n')
    done = seekmath("grade", "--pairs", "pairs.jsonl", "--out", "graded.jsonl", cwd=tmp_path)
    assert (done.returncode, "prediction: needs text or a number" in done.stderr) == (2, True)
    done = seekmath("grade", "--pairs", "pairs.jsonl", "--out", "pairs.jsonl", cwd=tmp_path)
    assert (done.returncode, "is the file that is read" in done.stderr) == (2, True)
    assert pairs.read_text().endswith("}\n")


def test_a_small_world_is_made_and_made_again_for_nothing(tmp_path):
    first = seekmath("world", "--pages", "120", "--out", "w", "--json", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["pages"] == 120
    again = seekmath("world", "--pages", "120", "--out", "w", cwd=tmp_path)
    assert "reused" in again.stderr
    other = seekmath("world", "--pages", "130", "--out", "w", cwd=tmp_path)
    assert other.returncode == 2
    assert "--overwrite" in other.stderr
