"""The adapter against what real Isabelle servers sent, as the package isabelle-client records it.

Byte for byte, with the lengths before long messages. A recording says one thing whatever is asked,
so each test asks what its recording answers.
"""

import socketserver
import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from seekmath.verify.isabelle import CHEAP_TACTICS, Isabelle, _errors

pytest.importorskip(
    "isabelle_client", reason="isabelle-client, which has the recordings, is absent"
)
RECORDED = Path(str(files("isabelle_client"))) / "resources/isabelle-responses"
CLAIM = 'lemma all: "ALL x. EX y. x = y"'


class Recorded(socketserver.StreamRequestHandler):
    """Answers a command with its recording; ``theories`` of the server are answered in turn."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b'OK {"isabelle_id":"mock","isabelle_name":"Isabelle2025-2"}\n')
        for line in self.rfile:
            name = line.decode().partition(" ")[0]
            if name == "use_theories":
                left = self.server.theories  # type: ignore[attr-defined]
                name = left.pop(0) if len(left) > 1 else left[0]
            told = (RECORDED / name).read_bytes()
            self.wfile.write(told.removesuffix(b"\n") + b"\n")  # one file lacks its last line break


@pytest.fixture
def recorded() -> Iterator[Callable[..., Isabelle]]:
    """A session whose theories are answered by these recordings, the last one repeated."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Recorded)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    opened: list[Isabelle] = []

    def start(*theories: str) -> Isabelle:
        server.theories = list(theories)  # type: ignore[attr-defined]
        opened.append(Isabelle(f"127.0.0.1:{server.server_address[1]}:secret", wall_s=5.0))
        return opened[-1]

    yield start
    for prover in opened:
        prover.close()
    server.shutdown()
    server.server_close()


def test_a_session_starts_and_a_theory_is_taken(recorded: Callable[..., Isabelle]) -> None:
    prover = recorded("use_theories")
    assert prover.title == "Isabelle2025-2"
    assert prover._session == "167dd6d8-1eeb-4315-8022-c8c527d9bd87"
    assert _errors(prover._use(CLAIM, "by auto")) == []
    assert prover.check(CLAIM, "by auto").verdict == "unrun"  # it was not asked for oracles


def test_a_proof_that_fails_is_wrong_as_isabelle_says(
    recorded: Callable[..., Isabelle],
) -> None:
    found = recorded("use_theories.Fail").check(CLAIM, "by auto")
    assert found.verdict == "wrong"
    assert found.reason.startswith("Failed to finish proof:\ngoal (1 subgoal):")


def test_what_sledgehammer_tells_is_taken(recorded: Callable[..., Isabelle]) -> None:
    failures = ["use_theories.Fail"] * len(CHEAP_TACTICS)
    prover = recorded(*failures, "use_theories.Sledgehammer", "use_theories")
    assert prover.search(CLAIM).proof == "by presburger"
