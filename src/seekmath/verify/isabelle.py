"""Proofs checked by a user's Isabelle, through its server.

As in the paper (section 2.3.3), a proof may leave gaps that it marks ``sledgehammer``: cheap
tactics are tried on each first, then Sledgehammer itself.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput
from seekmath.verify.isabelle_client import IsabelleConnection, IsabelleTimeout
from seekmath.verify.prover import Checked

#: Tried on a gap before Sledgehammer, in this order (DeepSeek-Math's evaluation).
CHEAP_TACTICS = (
    *("auto", "simp", "blast", "fastforce", "force", "eval", "presburger", "sos", "arith"),
    *("linarith", "auto simp: field_simps"),
)
_IMPORTS = (
    'Complex_Main "HOL-Library.Code_Target_Numeral" "HOL-Library.Sum_of_Squares" '
    '"HOL-Computational_Algebra.Computational_Algebra" "HOL-Number_Theory.Number_Theory"'
)
# Commands that a proof never needs: gaps, axioms, theory text, ML, and what opens a new theory.
_FORBIDDEN = re.compile(
    r"(?<![\w'.])(sorry|oops|\\<proof>|axiomatization|axioms?|oracle|theory|imports|begin|end|"
    r"theorem|lemma|lemmas|corollary|proposition|schematic_goal|definition|abbreviation|fun|"
    r"function|primrec|inductive|coinductive|datatype|typedef|typedecl|type_synonym|record|consts|"
    r"overloading|instantiation|instance|class|locale|context|interpretation|sublocale|declare|"
    r"declaration|notation|no_notation|syntax|translations|hide_const|hide_fact|setup|local_setup|"
    r"method_setup|attribute_setup|simproc_setup|parse_translation|print_translation|method|"
    r"named_theorems|bundle|ML\w*|SML\w*|tactic|raw_tactic|ml_tactic|export_code|code_\w+|"
    r"generate_file|external_file|skip_proof|cheat\w*|nitpick|quickcheck|back|defer_recdef)"
    r"(?![\w'])"
)
_NAME = re.compile(r"(?:theorem|lemma|corollary|proposition)\s+(?:\([^)]*\)\s*)?([A-Za-z][\w']*)")
_GAP = re.compile(r"(?:\bby\s+|\busing\s+[^\n]*\s+by\s+)?\bsledgehammer\b(?:\s*\[[^\]]*\])?")
_TRY = re.compile(r"Try this: (.+?) \(\d", re.DOTALL)
_COMMENT = re.compile(r"\(\*.*?\*\)", re.DOTALL)
_ORACLES = "thm_oracles"
_SERVER = "ISABELLE_SERVER"
_MAX_FILLED = 32
_PURGE_S = 30.0
_EVALUATION = "holds_by_evaluation"  # what the tactic eval rests on
_FENCE = re.compile(r"```(?:isabelle)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)


class Isabelle:
    """A session of a running Isabelle server, or of one that is started.

    Args:
        server: HOST:PORT:PASSWORD; if empty, what ISABELLE_SERVER holds; else ``isabelle server``
            is asked for one.
        wall_s: time of one check, seconds; Isabelle runs on threads of its own.
        session: the logic to start.

    Raises:
        BadInput: no Isabelle, no server, or the session does not start.
    """

    def __init__(self, server: str = "", wall_s: float = 120.0, session: str = "HOL") -> None:
        host, port, password = _place(server or os.environ.get(_SERVER, "") or _own_server())
        self._wall_s = wall_s
        self._count = 0
        self._connection = IsabelleConnection(host, port, password)
        try:
            started = self._connection.command("session_start", {"session": session}, 600.0)
        except BaseException:
            self._connection.close()
            raise
        self._session = started["session_id"]
        self._folder = tempfile.TemporaryDirectory(prefix="seekmath-isabelle-")

    @property
    def title(self) -> str:
        """The version that the server tells."""
        told = self._connection.greeting
        return str(told.get("isabelle_name") or told.get("isabelle_id") or "Isabelle")

    def describe(self) -> str:
        """The version, and what isolates it."""
        return f"{self.title} through its server, not isolated"

    def close(self) -> None:
        """Stop the session and leave the server."""
        with contextlib.suppress(BadInput, IsabelleTimeout, OSError):  # it may be gone already
            self._connection.command("session_stop", {"session_id": self._session}, 30.0)
        self._connection.close()
        self._folder.cleanup()

    def check(self, statement: str, proof: str) -> Checked:
        """Whether ``proof``, its gaps filled, proves ``statement``."""
        name = _NAME.search(_claim(statement))
        if name is None:
            return Checked("statement", "it holds no theorem or lemma")
        text = _COMMENT.sub(" ", proof)
        if word := _FORBIDDEN.search(text):
            return Checked("refused", f"'{word.group(1)}' is not allowed")
        if "(*" in text or "*)" in text:
            return Checked("refused", "a comment does not end")
        try:
            for _ in range(_MAX_FILLED):
                gap = _GAP.search(text)
                if gap is None:
                    break
                filled = self._filled(statement, text, gap)
                if filled is None:
                    return Checked("wrong", "Sledgehammer fills no gap of it", proof=text)
                text = filled
            else:
                return Checked("refused", f"more than {_MAX_FILLED} gaps", proof=text)
            return self._verdict(statement, name.group(1), text)
        except IsabelleTimeout:
            return Checked("timeout", f"more than {self._wall_s:g} s", proof=text)
        except (BadInput, OSError) as error:
            return Checked("unrun", str(error), proof=text)

    def search(self, statement: str) -> Checked:
        """Cheap tactics, then Sledgehammer, on the whole statement."""
        return self.check(statement, "sledgehammer")

    def extract(self, statement: str, completion: str) -> str:
        """The proof in a completion: its last code block or all, after the repeated statement."""
        blocks = _FENCE.findall(completion)
        text = (blocks[-1] if blocks else completion).strip()
        claim = _claim(statement).strip()
        place = text.rfind(claim) if claim else -1
        text = text[place + len(claim) :].strip() if place >= 0 else text
        return text.removesuffix("end").strip() if re.search(r"\bqed\s+end$", text) else text

    def _filled(self, statement: str, text: str, gap: re.Match[str]) -> str | None:
        """``text`` with the gap closed by what Isabelle takes; later gaps are left open."""
        before, after = text[: gap.start()], text[gap.end() :]
        rest = _GAP.sub("sorry", after)
        for tactic in CHEAP_TACTICS:
            try:
                if not _errors(self._use(statement, f"{before}by ({tactic}){rest}")):
                    return f"{before}by ({tactic}){after}"
            except IsabelleTimeout:
                continue  # a tactic that does not end closes nothing
        said = self._use(statement, f"{before}sledgehammer\n  sorry{rest}")
        for message in _messages(said):
            if found := _TRY.search(message):
                step = found.group(1).strip()
                # ``apply`` closes one of several goals: the gap goes on after it.
                left = "\n  sledgehammer" if step.startswith("apply") else ""
                if not _FORBIDDEN.search(step):
                    return f"{before}{step}{left}{after}"
        return None

    def _verdict(self, statement: str, name: str, text: str) -> Checked:
        done = self._use(statement, f"{text}\n\n{_ORACLES} {name}")
        if errors := _errors(done):
            return Checked("wrong", errors[0][:1000], proof=text)
        told = [one for one in _messages(done) if one.startswith("oracles:")]
        if len(told) != 1:
            return Checked("unrun", "Isabelle did not tell the oracles of the theorem", proof=text)
        oracles = _oracles(told[0].removeprefix("oracles:"))
        if others := [one for one in oracles if not one.endswith(_EVALUATION)]:
            reason = f"rests on oracles: {', '.join(others)}"
            return Checked("refused", reason, oracles, proof=text)
        return Checked("proved", "", oracles, proof=text)

    def _use(self, statement: str, proof: str) -> dict[str, Any]:
        """What Isabelle says of a theory with the statement and this proof."""
        self._count += 1
        theory = f"Seekmath_{self._count}"
        source = (
            f"theory {theory} imports {_IMPORTS}\nbegin\n\n{_claim(statement)}\n{proof}\n\nend\n"
        )
        path = Path(self._folder.name, f"{theory}.thy")
        path.write_text(source, "utf-8")
        wanted = {
            "session_id": self._session,
            "theories": [theory],
            "master_dir": self._folder.name,
        }
        try:
            return self._connection.command("use_theories", wanted, self._wall_s)
        finally:
            path.unlink()
            self._forget(theory)

    def _forget(self, theory: str) -> None:
        """Let the session drop a theory that was checked; it would keep each for ever."""
        named = {
            "session_id": self._session,
            "theories": [theory],
            "master_dir": self._folder.name,
        }
        with contextlib.suppress(BadInput, IsabelleTimeout, OSError):
            self._connection.command("purge_theories", named, _PURGE_S)


def _claim(statement: str) -> str:
    """The statement without the head of its theory; a shared one gives the imports."""
    return re.split(r"^begin\b", statement, maxsplit=1, flags=re.MULTILINE)[-1].strip()


def _errors(done: dict[str, Any]) -> list[str]:
    """Why a theory was not taken; empty where every command of it succeeded."""
    found = [_plain(str(one.get("message", one))) for one in done.get("errors", [])]
    for node in done.get("nodes", []):
        found += [_plain(one["message"]) for one in node["messages"] if one["kind"] == "error"]
        status = node["status"]
        if not found and any(map(status.get, ("failed", "unprocessed", "canceled"))):
            found.append("Isabelle did not finish the theory")
    if not found and not (done.get("ok") and done.get("nodes")):
        found.append("Isabelle did not take the theory")
    return found


def _plain(message: str) -> str:
    """A message without the marks of places in it."""
    return re.sub(r"\\<\^here>", "", message)


def _oracles(listed: str) -> tuple[str, ...]:
    """The names of a list of oracles: the first word of each of its lines that stand furthest left;
    propositions may stand behind and below them."""
    lines = [line for line in listed.splitlines() if line.strip()]
    left = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    outer = [line for line in lines if len(line) - len(line.lstrip()) == left]
    return tuple(re.split(r"[:\s]", line.strip().removeprefix("\\<bullet> "))[0] for line in outer)


def _messages(done: dict[str, Any]) -> list[str]:
    return [str(one["message"]) for node in done.get("nodes", []) for one in node["messages"]]


def _place(server: str) -> tuple[str, int, str]:
    host, _, rest = server.partition(":")
    port, _, password = rest.partition(":")
    if not (host and port.isdigit() and password):
        raise BadInput("Isabelle server: expected HOST:PORT:PASSWORD, as `isabelle server` tells")
    return host, int(port), password


def _own_server() -> str:
    """Ask the installation for a resident server."""
    program = shutil.which("isabelle")
    if program is None:
        raise BadInput(
            "Isabelle is not installed (isabelle.in.tum.de; its bin folder must be on the PATH); "
            "or name a running server with --server HOST:PORT:PASSWORD"
        )
    process = subprocess.Popen(
        [program, "server", "-n", "seekmath"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it is resident: later commands find it
    )
    assert process.stdout
    told = process.stdout.readline()
    found = re.search(r'= ([\w.]+):(\d+) \(password "([^"]+)"\)', told)
    if found is None:
        raise BadInput(f"isabelle server did not start: {told.strip()}")
    return ":".join(found.groups())
