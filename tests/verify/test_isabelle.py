"""Isabelle: its server's protocol played on loopback, in the form that real sessions have.

The form is that of the Isabelle System Manual (chapter 4) and of published session logs of
Isabelle2022 and 2023: compact JSON; a message over 100 bytes, or with a line break in it, after a
line with its length, the final line break counted; OK at once, NOTEs while a task runs, FINISHED or
FAILED at its end; errors both in ``errors`` and among their node's messages, with places; what
Sledgehammer tells, prover by prover. The sessions themselves are this test's own.
"""

import json
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seekmath.core.files import BadInput
from seekmath.verify.isabelle import CHEAP_TACTICS, Isabelle

CLAIM = 'theorem two: "(1::nat) + 1 = 2"'
Told = list[tuple[str, str]]
Judge = Callable[[str], Told]
#: What a theory "says" that never comes to an end.
HANGS: Told = [("hangs", "")]
HAMMERED = ["Sledgehammering...", "cvc4 found a proof...", "e found a proof..."]


class Replay(socketserver.StreamRequestHandler):
    """One connection of the server."""

    def handle(self) -> None:
        if self.rfile.readline() != b"secret\n":
            return
        self._say("OK", {"isabelle_id": "1b2c3d4e5f60", "isabelle_name": "Isabelle2022"})
        running = ""
        for line in self.rfile:
            name, _, argument = line.decode().partition(" ")
            given = json.loads(argument)
            if name == "cancel":
                assert given == {"task": running}
                self._note(running, "late words of a task")
                self._say("OK")
                failed = {"kind": "error", "message": "Interrupt", "task": running}
                self._say("FAILED", failed)
            elif name == "purge_theories":
                node = {"node_name": given["theories"][0], "theory_name": given["theories"][0]}
                self.server.purged.append(given["theories"][0])  # type: ignore[attr-defined]
                self._say("OK", {"purged": [node], "retained": []})
            elif given.get("session_id", "s-1") != "s-1":
                self._say("ERROR", "No session " + given["session_id"])
            else:
                running = self._task(name, given)

    def _task(self, name: str, given: dict[str, Any]) -> str:
        task = str(uuid.uuid4())
        self._say("OK", {"task": task})
        if name == "session_start":
            self._note(task, f"Starting session {given['session']} ...")
            self._say("FINISHED", {"session_id": "s-1", "tmp_dir": "/tmp/s-1", "task": task})
        elif name == "session_stop":
            self._say("FINISHED", {"ok": True, "return_code": 0, "task": task})
        else:
            self._theory(task, given)
        return task

    def _theory(self, task: str, given: dict[str, Any]) -> None:
        name = given["theories"][0]
        path = Path(given["master_dir"], f"{name}.thy")
        source = path.read_text()
        self.server.seen.append(source)  # type: ignore[attr-defined]
        told = self.server.judge(source)  # type: ignore[attr-defined]
        for percentage in (37, 99, 100):
            self._note(task, f"theory Draft.{name} {percentage}%", percentage, f"Draft.{name}")
            if told == HANGS:
                return
        place = {"line": 5, "offset": 88, "end_offset": 91, "file": str(path)}
        messages = [{"kind": kind, "message": text, "pos": place} for kind, text in told]
        errors = [one for one in messages if one["kind"] == "error"]
        status = {
            "percentage": 100, "unprocessed": 0, "running": 0, "finished": 7 - len(errors),
            "failed": len(errors), "total": 7, "consolidated": True, "canceled": False,
            "ok": not errors, "warned": 0,
        }  # fmt: skip
        node = {"messages": messages, "exports": [], "status": status,
                "theory_name": f"Draft.{name}", "node_name": str(path)}  # fmt: skip
        body = {"ok": not errors, "errors": errors, "nodes": [node], "task": task}
        self._say("FINISHED", body)

    def _note(self, task: str, message: str, percentage: int = 0, theory: str = "") -> None:
        note: dict[str, Any] = {"task": task, "message": message, "kind": "writeln"}
        if theory:
            note = {"percentage": percentage, **note, "session": "", "theory": theory}
        self._say("NOTE", note)

    def _say(self, kind: str, body: Any = None) -> None:
        compact = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        line = (f"{kind} {compact}" if body is not None else kind).encode()
        prefix = f"{len(line) + 1}\n".encode() if len(line) > 100 or b"\n" in line else b""
        self.wfile.write(prefix + line + b"\n")


def serving(judge: Judge) -> socketserver.ThreadingTCPServer:
    """A server on loopback that answers theories so."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Replay)
    server.daemon_threads = True
    server.judge, server.seen, server.purged = judge, [], []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


@pytest.fixture
def replayed() -> Iterator[Callable[[Judge], tuple[Isabelle, list[str]]]]:
    """Start a session against answers to theories; gives the prover and the theories it sent."""
    opened: list[tuple[Isabelle, Any]] = []

    def start(judge: Judge) -> tuple[Isabelle, list[str]]:
        server = serving(judge)
        prover = Isabelle(f"127.0.0.1:{server.server_address[1]}:secret", wall_s=5.0)
        prover.purged = lambda: server.purged  # type: ignore[attr-defined]
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
            found = ["cvc4: Try this: by (metis one_add_one) (12 ms)", "e: Found duplicate proof"]
            return [("writeln", message) for message in [*HAMMERED, *found, "Done"]]
        if not any(f"by ({tactic})" in proof for tactic in tactics):
            goal = "Failed to finish proof\\<^here>:\ngoal (1 subgoal):\n 1. 1 + 1 = 2"
            return [("writeln", "theorem two: 1 + 1 = 2"), ("error", goal)]
        return [("writeln", f"oracles:{oracles}")] if "thm_oracles two" in proof else []

    return judge


def test_a_proof_is_accepted_and_a_wrong_one_refused(replayed) -> None:
    prover, seen = replayed(takes("simp"))
    assert prover.check(CLAIM, "  by (simp)").verdict == "proved"
    assert CLAIM in seen[0]
    wrong = prover.check(CLAIM, "by (blast)")
    assert (wrong.verdict, wrong.reason) == (
        "wrong",
        "Failed to finish proof:\ngoal (1 subgoal):\n 1. 1 + 1 = 2",
    )
    assert prover.title == "Isabelle2022"


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


def test_apply_closes_one_goal_and_the_gap_goes_on(replayed) -> None:
    """With several goals Sledgehammer offers ``apply``, which leaves the others."""

    def judge(source: str) -> Told:
        proof = source.partition(CLAIM)[2]
        if "sledgehammer" in proof:
            offered = "apply (simp add: a)" if "apply" not in proof else "by (metis b)"
            slow = ("writeln", "e: Try this: by blast (> 1.0 s, timed out)")
            fast = ("writeln", f"zipperposition: Try this: {offered} (0.9 ms)")
            return [*(("writeln", one) for one in HAMMERED), slow, fast, ("writeln", "Done")]
        if "by (metis b)" not in proof:
            return [("error", "Failed to finish proof")]
        return [("writeln", "oracles:")] if "thm_oracles" in proof else []

    found = replayed(judge)[0].search(CLAIM)
    assert (found.verdict, found.proof.split("\n")) == (
        "proved",
        ["apply (simp add: a)", "  by (metis b)"],
    )
    endless = replayed(lambda source: [("writeln", "e: Try this: apply auto (1 ms)")]
                       if "sledgehammer" in source else [("error", "no")])[0]  # fmt: skip
    assert endless.search(CLAIM).reason == "more than 32 gaps"


def test_no_proof_found_is_wrong(replayed) -> None:
    hammered = [("writeln", "Sledgehammering..."), ("writeln", "No proof found")]
    judge = lambda source: hammered if "sledgehammer" in source else [("error", "no")]  # noqa: E731
    assert replayed(judge)[0].search(CLAIM).verdict == "wrong"


def test_a_check_that_does_not_end_is_cancelled_and_the_next_is_heard(replayed) -> None:
    """The server's reply to ``cancel`` and what the task still says are not the next reply."""
    prover, _ = replayed(lambda source: HANGS if "blast" in source else takes("simp")(source))
    prover._wall_s = 0.3
    assert prover.check(CLAIM, "by (blast)").verdict == "timeout"
    prover._wall_s = 5.0
    assert prover.check(CLAIM, "by (simp)").verdict == "proved"
    assert prover.check(CLAIM, "by (force)").verdict == "wrong"


def test_checked_theories_are_dropped_and_a_lost_session_is_no_verdict(replayed) -> None:
    prover, _ = replayed(takes("simp"))
    prover.check(CLAIM, "by (simp)")
    assert prover.purged() == ["Seekmath_1"]
    prover._session = "s-2"
    lost = prover.check(CLAIM, "by (simp)")
    assert (lost.verdict, lost.reason) == (
        "unrun",
        "Isabelle server: use_theories: No session s-2",
    )
    prover._session = "s-1"


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
    assert replayed(takes("eval", oracles="\n  HOL.holds_by_evaluation:\n    x = y"))[0].check(
        CLAIM, "by (eval)"
    ).assumptions == ("HOL.holds_by_evaluation",)
    skipped = "\n  HOL.holds_by_evaluation\n  Pure.skip_proof"
    cheated = replayed(takes("simp", oracles=skipped))[0].check(CLAIM, "by (simp)")
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
    monkeypatch.setenv("ISABELLE_SERVER", "127.0.0.1:1:x")
    with pytest.raises(BadInput, match="no Isabelle server answers"):
        Isabelle()
