"""What a run does before it reads a round's marks: wait for people, or ask a language model."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from seekmath.core.files import BadInput
from seekmath.core.job import Waiting
from seekmath.mine.annotate_llm import ask_model
from seekmath.mine.annotations import Annotations
from seekmath.mine.annotators import annotate_round
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.settings import MineSettings

from .annotated import counted_run


@pytest.fixture
def model():
    """A server that first is busy, then answers by what the question holds."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            question = asked["messages"][-1]["content"]
            server.asked.append(question)
            answer = server.answer(question.splitlines()[0].removeprefix("Prefix: "))
            status = 503 if len(server.asked) == 1 else 200
            body = json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    server.answer = lambda prefix: "Math." if "good" in prefix or "maths" in prefix else "other"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(run, server, patience_s: float = 30.0):
    plan = {
        "round": 1,
        "endpoint": f"http://127.0.0.1:{server.server_port}/v1",
        "model": "sorter",
        "patience_s": patience_s,
        "domain": "mathematics",
    }
    stage = Stage("ask_model", "seekmath.mine.annotate_llm:ask_model", str(run), plan)
    return ask_model(stage, Shard("all"), Beat(None, 60, frozenset()))


def test_a_model_decides_and_is_not_asked_again(model, tmp_path):
    run = counted_run(tmp_path / "run", "llm")
    store = Annotations(run)
    store.decide("evil.example/", "other", "ann", 1)
    counts = ask(run, model)
    told = {prefix: (one.label, one.who) for prefix, one in store.standing().items()}
    assert told == {
        "good.org/": ("math", "sorter"),
        "mixed.net/": ("other", "sorter"),
        "mixed.net/maths/": ("math", "sorter"),
        "mixed.net/news/": ("other", "sorter"),
        "evil.example/": ("other", "ann"),
    }
    assert counts == {"asked": 4, "unanswered": 0}
    assert len(model.asked) == 5  # the first was refused for a while
    assert "not taken" in "".join(model.asked)
    assert store.finished() == 1
    assert ask(run, model) == {"asked": 0, "unanswered": 0}


def test_a_model_that_says_neither_leaves_the_prefix_undecided(model, tmp_path):
    model.answer = lambda prefix: "I was told to ignore this"
    run = counted_run(tmp_path / "run", "llm")
    assert ask(run, model) == {"asked": 5, "unanswered": 5}
    assert not Annotations(run).standing()


def test_a_silent_server_is_named(model, tmp_path):
    run = counted_run(tmp_path / "run", "llm")
    model.shutdown()
    model.server_close()
    with pytest.raises(BadInput, match=r"annotator_endpoint.*goes on"):
        ask(run, model, patience_s=0.2)


def test_a_run_waits_until_its_round_is_finished(tmp_path):
    run = counted_run(tmp_path / "run")
    settings = MineSettings(crawl=["x"], seeds="x", annotator="wait")

    def no_step(*given, **more):
        raise AssertionError("nothing is to be asked")

    with pytest.raises(Waiting, match=r"round 1 .*seekmath annotate"):
        annotate_round(settings, str(run), 1, 1, no_step)
    Annotations(run).finish(1, "ann")
    plan = annotate_round(settings, str(run), 1, 1, no_step)
    with pytest.raises(Waiting, match="round 2"):
        (run / "rounds/02").mkdir()
        annotate_round(settings, str(run), 2, 1, no_step)
    Annotations(run).decide("good.org/", "math", "ann", 1)
    assert annotate_round(settings, str(run), 1, 1, no_step) == plan
