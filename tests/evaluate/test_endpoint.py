"""A server asked over loopback: the right bodies, faults outlived, and nothing asked twice."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_json, read_parquet, write_jsonl
from seekmath.core.job import Job
from seekmath.evaluate import endpoint
from seekmath.evaluate.runner import evaluate
from seekmath.evaluate.settings import EvaluateSettings
from tests.evaluate.serving import Served, serving


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    rows = [{"id": f"s{n}", "question": f"What is {n} + 2?", "answer": n + 2} for n in range(12)]
    write_jsonl(tmp_path / "sums.jsonl", rows)
    return tmp_path / "sums.jsonl"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    import tenacity

    monkeypatch.setattr(endpoint, "_growing", tenacity.wait_fixed(0.01))


def plan(url: str, sums: Path, **given) -> EvaluateSettings:
    return EvaluateSettings(
        **{"endpoint": url, "models": {"m": "tiny"}, "benchmarks": str(sums), "concurrency": 4,
           "patience_s": 20, **given}
    )  # fmt: skip


def results(settings: EvaluateSettings, out: Path) -> dict[str, float]:
    return evaluate(settings, Job.open(out))


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_every_question_is_asked_once_and_judged(sums: Path, tmp_path: Path, api: str):
    served = Served([])
    with serving(served) as url:
        found = results(plan(url, sums, api=api, sampled=["sums"], samples=2), tmp_path / "out")
    assert found == {f"m/sums/{name}": 1 for name in
                     ("greedy", "pass@1", "pass@2", "maj@1", "maj@2")}  # fmt: skip
    assert len(served.answered) == 12 * 3
    assert set(served.answered.values()) == {1}
    assert {body["model"] for body in served.bodies} == {"tiny"}
    assert Counter(body["temperature"] for body in served.bodies) == {0: 12, 0.7: 24}
    rows = read_parquet(tmp_path / "out/samples/m-sums.parquet").to_pylist()
    assert {row["tokens"] for row in rows} == {5}
    assert rows[0]["prompt"] == "User: What is 0 + 2?\n\nAssistant:"


def test_faults_that_pass_are_outlived(sums: Path, tmp_path: Path):
    served = Served(["429", "503", "cut", "half", "empty", "500"])
    with serving(served) as url:
        found = results(plan(url, sums), tmp_path / "out")
    assert found == {"m/sums/greedy": 1}
    assert set(served.tries.values()) == {7}
    assert set(served.answered.values()) == {1}


def test_a_server_that_stays_silent_is_given_up_and_what_it_answered_is_kept(
    sums: Path, tmp_path: Path
):
    served = Served([])
    with serving(served) as url:
        settings = plan(url, sums, patience_s=0.3)
        results(plan(url, sums, limit=5), tmp_path / "out")
        (tmp_path / "out/samples/m-sums.parquet").unlink()
    with pytest.raises(BadInput, match=r"no answer for 0 s; last: ConnectError.*goes on"):
        results(settings, tmp_path / "out")


@pytest.mark.parametrize(
    ("fault", "message"),
    [("401", "set OPENAI_API_KEY"), ("404", "usually ends in /v1"), ("400", "refuses: HTTP 400")],
)
def test_what_no_patience_mends_is_said_at_once(
    sums: Path, tmp_path: Path, fault: str, message: str
):
    with serving(Served([fault] * 9)) as url, pytest.raises(BadInput, match=message):
        results(plan(url, sums), tmp_path / "out")


def test_one_refused_question_costs_that_question(sums: Path, tmp_path: Path):
    served = Served([])
    answer = served.answer

    async def refusing(request):
        body = await request.json()
        if "What is 7 +" in body["messages"][0]["content"]:
            served.faults = ["413"]
        response = await answer(request)
        served.faults = []
        return response

    served.answer = refusing
    with serving(served) as url:
        found = results(plan(url, sums, concurrency=1), tmp_path / "out")
    assert found["m/sums/greedy"] == pytest.approx(11 / 12, abs=1e-4)
    assert read_json(tmp_path / "out/details.json")["m"]["sums"]["refused"] == 1


def command(url: str, sums: Path, out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "seekmath.cli", "evaluate", "--endpoint", url, "--model", "tiny"),
        *("--benchmark", str(sums), "--concurrency", "2", "--out", str(out), "--quiet"),
    ]


def test_killed_in_the_middle_no_finished_question_is_asked_again(tmp_path: Path):
    rows = [{"id": f"s{n}", "question": f"What is {n} + 2?", "answer": n + 2} for n in range(40)]
    write_jsonl(tmp_path / "sums.jsonl", rows)
    served = Served([], pause_s=0.05)
    journal = tmp_path / "out/samples/.tiny-sums.jsonl"
    with serving(served) as url:
        call = command(url, tmp_path / "sums.jsonl", tmp_path / "out")
        process = subprocess.Popen(call)
        while not journal.exists() or journal.read_bytes().count(b"\n") < 6:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        noted = journal.read_bytes()
        with open(journal, "ab") as file:
            file.write(b'{"problem_id": "s39", "k": -1, "compl')  # as a crash leaves it
        before = served.answered.copy()
        subprocess.run(call, check=True)
    kept = {
        line.split(b'"problem_id": "')[1].split(b'"')[0].decode() for line in noted.splitlines()
    }
    assert 6 <= len(kept) < 40
    again = {key for key in served.answered if served.answered[key] > 1}
    assert len(again) <= 2  # those under way when it was killed
    assert not {key.split("|")[0] for key in again} & {f"What is {name[1:]} + 2?" for name in kept}
    assert len(before) < len(served.answered) == 40
    assert read_json(tmp_path / "out/results.json")["tiny/sums/greedy"]["value"] == 1
    assert not journal.exists()


@pytest.fixture(scope="module")
def transformers_serve(
    model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The server of the package transformers with the tiny model: its address, and its log."""
    script = Path(sys.executable).parent / "transformers"
    needed = ("transformers", "fastapi", "openai", "uvicorn")
    lacking = [name for name in needed if importlib.util.find_spec(name) is None]
    if lacking or not script.exists():
        pytest.skip(f"`transformers serve` lacks {', '.join(lacking) or 'its command'}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = [script, "serve", str(model_folder), "--port", str(port), "--device", "cpu"]
    logged = tmp_path_factory.mktemp("serve") / "log"
    with open(logged, "w") as log:
        server = subprocess.Popen(
            call, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
    try:
        for _ in range(480):
            time.sleep(0.5)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
                break
            except OSError:
                assert server.poll() is None, logged.read_text()
        yield f"http://127.0.0.1:{port}/v1", logged
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_transformers_serve_gives_the_same_greedy_answers(
    transformers_serve: tuple[str, Path], model_folder: Path, sums: Path, tmp_path: Path
):
    settings = plan(transformers_serve[0], sums, api="completions", max_new_tokens=10)
    settings = settings.model_copy(update={"served": {"m": str(model_folder)}})
    results(settings, tmp_path / "theirs")
    ours = EvaluateSettings(models={"m": str(model_folder)}, benchmarks=str(sums),
                            max_new_tokens=10)  # fmt: skip
    results(ours, tmp_path / "ours")
    texts = [
        read_parquet(tmp_path / name / "samples/m-sums.parquet")["completion"].to_pylist()
        for name in ("theirs", "ours")
    ]
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_killed_while_transformers_serve_answers_and_resumed(
    transformers_serve: tuple[str, Path], model_folder: Path, tmp_path: Path
):
    url, logged = transformers_serve
    rows = [{"id": f"s{n}", "question": f"What is {n} + 2?", "answer": n + 2} for n in range(24)]
    write_jsonl(tmp_path / "sums.jsonl", rows)
    call = command(url, tmp_path / "sums.jsonl", tmp_path / "out")
    call[call.index("--model") + 1] = f"tiny={model_folder}"
    call += ["--api", "completions", "--max-new-tokens", "10"]
    journal = tmp_path / "out/samples/.tiny-sums.jsonl"
    before = logged.read_text().count("POST /v1/completions")
    process = subprocess.Popen(call)
    while not journal.exists() or journal.read_bytes().count(b"\n") < 4:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = journal.read_bytes().count(b"\n")
    assert 4 <= kept < 24
    subprocess.run(call, check=True)
    asked = logged.read_text().count("POST /v1/completions") - before
    assert 24 <= asked <= 26  # two were under way when it was killed
    assert read_json(tmp_path / "out/results.json")["tiny/sums/greedy"]["n"] == 24
