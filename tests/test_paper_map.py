"""Every pointer of docs/paper_map.md leads somewhere."""

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from seekmath.cli import commands
from seekmath.reproduce.experiments import EXPERIMENTS

ROOT = Path(__file__).parents[1]
POINTERS = sorted(set(re.findall(r"`([^`]+)`", (ROOT / "docs" / "paper_map.md").read_text())))
CODE = [p for p in POINTERS if re.fullmatch(r"[\w/]+\.py(:\w+)?", p) and "tests/" not in p]
FILES = [p for p in POINTERS if re.match(r"(recipes|benchmarks|tests)/.*\.", p)]
COMMANDS = [p for p in POINTERS if p.startswith("seekmath ")]


def test_every_pointer_is_of_a_known_kind():
    assert set(POINTERS) == {*CODE, *FILES, *COMMANDS, "src/seekmath/"}


@pytest.mark.parametrize("pointer", CODE)
def test_code_is_there(pointer):
    file, _, name = pointer.partition(":")
    tree = ast.parse((ROOT / "src" / "seekmath" / file).read_text())
    assert not name or name in {getattr(node, "name", "") for node in tree.body}


@pytest.mark.parametrize("pointer", FILES)
def test_files_are_there(pointer):
    assert (ROOT / pointer).is_file()


@pytest.mark.parametrize("pointer", COMMANDS)
def test_commands_and_their_options_are_there(pointer):
    _, command, *rest = pointer.split()
    if command == "reproduce":
        assert rest[0] in EXPERIMENTS
        return
    shown = CliRunner().invoke(commands, [command, "--help"])
    assert shown.exit_code == 0
    for option in [word for word in rest if word.startswith("--")]:
        assert option in shown.output
