"""Isabelle: replies written by hand in the form of its server's protocol, played on loopback."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seekmath.core.files import BadInput
from seekmath.verify.isabelle import CHEAP_TACTICS, Isabelle

CLAIM = 'theorem two: "(1::nat) + 1 = 2"'
STATUS = {
    "percentage": 100, "unprocessed": 0, "running": 0, "finished": 7, "failed": 0,
    "total": 7, "consolidated": True, "canceled": False, "ok": True, "warned": 0,
}  # fmt: skip
Judge = Callable[[str], list[tuple[str, str]]]


class Replay(socketserver.StreamRequestHandler):
    """Speaks the protocol: long messages carry their length; tasks tell notes, then the end."""

    def handle(self) -> None:
        if self.rfile.readline() != b"secret\n":
            return
        self._say("OK", {"isabelle_id": "b1a", "isabelle_name": "Isabelle2022"})
        for task, line in enumerate(self.rfile):
            name, _, argument = line.decode().partition(" ")
            self._say("OK", {"task": str(task)})
            self._say("NOTE", {"kind": "writeln", "message": "ü" * 300, "task": str(task)})
            body = self._result(name, json.loads(argument))
            self._say("FINISHED", {**body, "task": str(task)})

    def _result(self, name: str, argument: dict[str, Any]) -> dict[str, Any]:
        if name == "session_start":
            return {"session_id": "s1", "tmp_dir": "/tmp/isabelle"}
        if name != "use_theories":
            return {"ok": True, "return_code": 0}
        theory = argument["theories"][0]
        source = Path(argument["master_dir"], f"{theory}.thy").read_text()
        self.server.seen.append(source)  # type: ignore[attr-defined]
        told = self.server.judge(source)  # type: ignore[attr-defined]
        messages = [{"kind": kind, "message": text, "pos": {"line": 5}} for kind, text in told]
        errors = [one for one in messages if one["kind"] == "error"]
        status = {**STATUS, "failed": len(errors), "ok": not errors}
        node = {"messages": messages, "exports": [], "status": status, "theory_name": theory}
        return {"ok": not errors, "errors": errors, "nodes": [node]}

    def _say(self, kind: str, body: dict[str, Any]) -> None:
        line = f"{kind} {json.dumps(body, ensure_ascii=False)}".encode()
        prefix = f"{len(line) + 1}\n".encode() if len(line) > 100 else b""
        self.wfile.write(prefix + line + b"\n")


@pytest.fixture
def replayed() -> Iterator[Callable[[Judge], tuple[Isabelle, list[str]]]]:
    """Start a session against answers to theories; gives the prover and the theories it sent."""
    opened: list[tuple[Isabelle, Any]] = []

    def start(judge: Judge) -> tuple[Isabelle, list[str]]:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Replay)
        server.daemon_threads = True
        server.judge, server.seen = judge, []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        prover = Isabelle(f"127.0.0.1:{server.server_address[1]}:secret", wall_s=5.0)
        opened.append((prover, server))
        return prover, server.seen  # type: ignore[attr-defined]

    yield start
    for prover, server in opened:
        prover.close()
        server.shutdown()
        server.server_close()


def takes(*tactics: str, oracles: str = "") -> Judge:
    """An Isabelle that accepts proofs by these tactics only."""

    def judge(source: str) -> list[tuple[str, str]]:
        proof = source.partition(CLAIM)[2]
        if "sledgehammer" in proof:
            return [("writeln", "cvc4: Try this: by (metis one_add_one) (12 ms)")]
        if not any(f"by ({tactic})" in proof for tactic in tactics):
            return [("error", "Failed to apply initial proof method")]
        return [("writeln", f"oracles:{oracles}")] if "thm_oracles two" in proof else []

    return judge


def test_a_proof_is_accepted_and_a_wrong_one_refused(replayed) -> None:
    prover, seen = replayed(takes("simp"))
    assert prover.check(CLAIM, "  by (simp)").verdict == "proved"
    assert CLAIM in seen[0]
    wrong = prover.check(CLAIM, "by (blast)")
    assert (wrong.verdict, wrong.reason) == ("wrong", "Failed to apply initial proof method")
    assert prover.describe().startswith("Isabelle2022")


def test_gaps_are_filled_by_cheap_tactics_in_order_then_by_sledgehammer(replayed) -> None:
    prover, seen = replayed(takes("fastforce"))
    assert prover.check(CLAIM, "proof -\n show ?thesis sledgehammer\nqed").verdict == "proved"
    tried = [source for source in seen if "thm_oracles" not in source]
    assert len(tried) == CHEAP_TACTICS.index("fastforce") + 1
    prover, seen = replayed(takes("metis one_add_one"))
    found = prover.search(CLAIM)
    assert (found.verdict, found.proof) == ("proved", "by (metis one_add_one)")
    assert len(seen) == len(CHEAP_TACTICS) + 2
    assert "sorry" not in seen[-1]


@pytest.mark.parametrize(
    "proof",
    [
        "sorry",
        "oops",
        "by (simp) axiomatization where f: False",
        'by (simp) end theory X imports Main begin lemma f: "False"',
        "by (tactic \\<open>all_tac\\<close>)",
        "ML_prf \\<open>1\\<close> by simp",
        "by (simp) (* open",
        "by (simp) declare [[quick_and_dirty]]",
        "by (simp) (* x *) lemma two: True by simp",
    ],
)
def test_tricks_never_reach_isabelle(replayed, proof: str) -> None:
    prover, seen = replayed(takes("simp"))
    assert prover.check(CLAIM, proof).verdict == "refused"
    assert seen == []


def test_oracles_are_refused_but_evaluation(replayed) -> None:
    assert replayed(takes("eval", oracles="\n  HOL.holds_by_evaluation"))[0].check(
        CLAIM, "by (eval)"
    ).assumptions == ("HOL.holds_by_evaluation",)
    cheated = replayed(takes("simp", oracles="\n  Pure.skip_proof"))[0].check(CLAIM, "by (simp)")
    assert cheated.verdict == "refused"
    assert replayed(lambda source: [])[0].check(CLAIM, "by (simp)").verdict == "unrun"


def test_the_proof_in_a_completion(replayed) -> None:
    prover, _seen = replayed(takes("simp"))
    head = "theory two imports Main\nbegin\n\n" + CLAIM
    for completion in ("by (simp)", f"```isabelle\n{CLAIM}\n  by (simp)\n```"):
        assert prover.extract(head, completion) == "by (simp)"


def test_a_missing_server_or_installation_is_said_plainly(
    replayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="not installed"):
        Isabelle()
    with pytest.raises(BadInput, match="no Isabelle server answers"):
        Isabelle("127.0.0.1:1:x")
    with pytest.raises(BadInput, match="HOST:PORT:PASSWORD"):
        Isabelle("nowhere")
