"""Formal benchmarks (paper, section 2.3.3): their prover, and what it proves without a model."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from seekmath.core.files import BadInput
from seekmath.evaluate.answer import GREEDY, Ask, Keep, Reply
from seekmath.evaluate.problem import Benchmark, ProverName
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.prover import Prover

#: The row that stands beside every model's: the prover's own tactics, no model.
AUTOMATION = "automation"

Provers = dict[ProverName, Prover]


@contextmanager
def open_provers(settings: EvaluateSettings, benchmarks: Iterable[Benchmark]) -> Iterator[Provers]:
    """The provers in whose languages the benchmarks are stated.

    Raises:
        BadInput: one of them is missing here.
    """
    with ExitStack() as stack:
        found: Provers = {}
        for name in dict.fromkeys(b.prover for b in benchmarks if b.prover):
            found[name] = _open(name, settings)
            stack.callback(found[name].close)
        yield found


def _open(name: ProverName, settings: EvaluateSettings) -> Prover:
    if name == "coq":
        from seekmath.verify.coq import Coq

        return Coq(settings.tactic_cpu_s, unsafe=settings.unsafe)
    from seekmath.verify.isabelle import Isabelle

    return Isabelle()


def rows_of(
    settings: EvaluateSettings, benchmarks: Iterable[Benchmark], provers: Provers
) -> Iterator[tuple[str, Benchmark, str]]:
    """(model, benchmark, its title in tables) of each row; automation's come first.

    The title of a formal benchmark names the prover, without which its figures mean nothing.
    """
    models = [*settings.models, *settings.served, *settings.recorded]
    for model in [AUTOMATION, *models]:
        for benchmark in benchmarks:
            prover = provers[benchmark.prover] if benchmark.prover else None
            if model != AUTOMATION or (prover and settings.automation):
                title = f"{benchmark.name} ({prover.title})" if prover else benchmark.name
                yield model, benchmark, title


def check_no_model_is_called(models: Iterable[str], benchmarks: Iterable[Benchmark]) -> None:
    """Refuse a model under the name of automation's row."""
    if AUTOMATION in models and any(benchmark.prover for benchmark in benchmarks):
        raise BadInput(f"--model: '{AUTOMATION}' is the row of the prover's own tactics; rename it")


class Automation:
    """The prover's own tactics, asked like a model."""

    def __init__(self, prover: Prover, benchmark: Benchmark) -> None:
        self._prover = prover
        self._statements = {problem.id: problem.formal for problem in benchmark.problems}

    def ks(self, problem_id: str, sampled: bool) -> list[int]:
        """See ``Answerer``; it has one answer."""
        return [GREEDY]

    def answer(self, asks: list[Ask], keep: Keep) -> None:
        """See ``Answerer``; those with the same head go together, which costs the least."""
        for ask in sorted(asks, key=lambda ask: self._statements[ask.problem_id]):
            done = self._prover.search(self._statements[ask.problem_id])
            # What is wrong with the statement or the prover is for the judge to say.
            nothing = 0 if done.verdict == "wrong" else None
            keep(ask, Reply(done.proof, nothing, done.reason or "found"))
