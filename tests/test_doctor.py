"""What ``seekmath doctor`` finds is what is there."""

import json
import re
import shutil

from click.testing import CliRunner

from seekmath.cli import commands
from seekmath.verify import landlock, seccomp


def test_findings_are_true_of_this_machine() -> None:
    done = CliRunner().invoke(commands, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    native = found["sandbox native"]
    assert native.startswith("holds: ") == (landlock.version() > 0 and seccomp.supported())
    assert found["prover coq"].startswith("not found") == (shutil.which("coqtop") is None)
    if shutil.which("coqtop"):
        assert re.match(r"Coq \d+\.\d+.*, .*eprover", found["prover coq"])
        assert ("no eprover" in found["prover coq"]) == (shutil.which("eprover") is None)
    if not shutil.which("bwrap"):
        assert "apt install bubblewrap" in found["sandbox bubblewrap"]
    assert found["extra train"].startswith("installed")
