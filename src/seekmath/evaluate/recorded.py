"""Answers that were recorded earlier, by any program: JSON lines instead of a model."""

from pathlib import Path
from typing import Any

from seekmath.core.files import BadInput, read_jsonl, text_of
from seekmath.core.recipe import option_of
from seekmath.evaluate.answer import GREEDY, Ask, Keep, Reply
from seekmath.evaluate.problem import Benchmark
from seekmath.evaluate.settings import EvaluateSettings

_FIELDS = EvaluateSettings.model_fields


class Recorded:
    """Recorded answers to one benchmark.

    Each line names its problem by ``id`` (or ``problem_id``) or by the question itself, and holds
    one completion or a list of them under ``completion_field``, with a reward model's scores, one
    for each, under ``score_field`` where there are any. One completion is a greedy answer, several
    are samples. Lines of other benchmarks are passed over.

    Raises:
        BadInput: a line lacks its completion, or a problem of the benchmark has no answer.
    """

    def __init__(self, path: str | Path, settings: EvaluateSettings, benchmark: Benchmark) -> None:
        self._path, self._settings = path, settings
        by_question = {problem.question.strip(): problem.id for problem in benchmark.problems}
        ids = {problem.id for problem in benchmark.problems}
        self._replies: dict[str, list[Reply]] = {}
        for number, row in enumerate(read_jsonl(path), 1):
            named = [row.get("problem_id"), row.get("id"), f"{benchmark.name}/{row.get('id')}"]
            found = [str(name) for name in named if str(name) in ids]
            name = found[0] if found else by_question.get(self._question(row))
            if name is not None:
                self._replies.setdefault(name, []).extend(self._read(row, f"{path}:{number}"))
        missing = [problem.id for problem in benchmark.problems if problem.id not in self._replies]
        if missing:
            raise BadInput(
                f"{path}: has no answer to {missing[0]} of '{benchmark.name}'"
                f" ({len(missing)} of {len(ids)} are missing); lines are found by id or question"
            )

    def ks(self, problem_id: str, sampled: bool) -> list[int]:
        """See ``Answerer``; what was recorded decides."""
        count = len(self._replies[problem_id])
        return [GREEDY] if count == 1 else list(range(count))

    def answer(self, asks: list[Ask], keep: Keep) -> None:
        """See ``Answerer``."""
        for ask in asks:
            keep(ask, self._replies[ask.problem_id][max(ask.k, 0)])

    def _question(self, row: dict[str, Any]) -> str:
        fields = (self._settings.question_field, "question", "problem")
        return next((str(row[field]).strip() for field in fields if row.get(field)), "")

    def _read(self, row: dict[str, Any], where: str) -> list[Reply]:
        found = self._column(row, "completion_field", where)
        texts = found if isinstance(found, list) else [found]
        texts = [_completion(text, where) for text in texts]
        named = self._settings.score_field != _FIELDS["score_field"].default
        scores = self._column(row, "score_field", where) if named else row.get("score")
        if scores is None:
            return [Reply(text, None, "recorded") for text in texts]
        scores = scores if isinstance(scores, list) else [scores]
        if len(scores) != len(texts):
            raise BadInput(f"{where}: {len(texts)} answers but {len(scores)} scores")
        return [
            Reply(text, None, "recorded", scores=_numbers(score, where))
            for text, score in zip(texts, scores, strict=True)
        ]

    def _column(self, row: dict[str, Any], setting: str, where: str) -> Any:
        """The value of the field that a setting names."""
        field = getattr(self._settings, setting)
        if field not in row:
            raise BadInput(
                f"{where}: needs the field '{field}'; found {', '.join(row)}"
                f" (name it with {option_of(EvaluateSettings, setting)})"
            )
        return row[field]


def _completion(value: Any, where: str) -> str:
    """What was answered; null where nothing was."""
    return "" if value is None else text_of(value, f"{where}: completion")


def _numbers(score: Any, where: str) -> tuple[float, ...]:
    values = score if isinstance(score, list) else [score]
    if not values or not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    ):
        raise BadInput(f"{where}: scores must be numbers; found {str(score)[:60]!r}")
    return tuple(float(value) for value in values)
