"""Exploration with a tool: programs that the policy writes are run while it answers.

The sandbox's output enters the context as tokens of their own, marked ``by_tool``: they stand in
what the policy reads and carry no loss (tool-integrated reasoning; paper, sections 2.3 and 3).
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

from seekmath.core.seeds import derive
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.sampler import Completion, sample
from seekmath.rl.questions import Question
from seekmath.rl.rollout import Sample
from seekmath.rl.settings import GrpoSettings
from seekmath.verify.execution import Execution, Program
from seekmath.verify.python_tool import STOP, Turn, integrate, until_stop


@dataclass
class _Draft:
    """An output under way: its tokens, and the text that they stand for."""

    question: Question
    place: int
    k: int
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    by_tool: list[bool] = field(default_factory=list)
    text: str = ""
    stop_reason: str = ""

    def add(self, ids: list[int], logprobs: list[float], by_tool: bool, text: str) -> None:
        self.ids += ids
        self.logprobs += logprobs
        self.by_tool += [by_tool] * len(ids)
        self.text += text


def roll_out_with_tool(
    policy: Decoder,
    tokenizer: Tokenizer,
    questions: list[Question],
    settings: GrpoSettings,
    seed: int,
    run: Callable[[list[Program]], list[Execution]],
    places: list[int] | None = None,
) -> list[list[Sample]]:
    """Sample a group for each question, as [question][k]; programs are run by ``run``.

    Seed and places are those of ``roll_out``.
    What the policy and the tool write together is at most ``max_new_tokens`` long. An output that
    ends in a question to the tool, the last round being over, has the stop reason "rounds".
    """
    size = settings.group_size
    pairs = zip(places or range(len(questions)), questions, strict=True)
    drafts = [_Draft(question, place, k) for place, question in pairs for k in range(size)]
    turn = 0

    def generate(numbers: list[int], written: list[str]) -> list[Turn]:
        nonlocal turn
        some = [drafts[number] for number in numbers]
        for draft, text in zip(some, written, strict=True):
            _hear(draft, text, tokenizer, settings)
        drawn = _draw(policy, tokenizer, some, settings, derive(seed, "rollout"), turn)
        turn += 1
        return [
            _say(draft, done, tokenizer, settings) for draft, done in zip(some, drawn, strict=True)
        ]

    transcripts = integrate(len(drafts), generate, run, rounds=settings.rounds)
    for draft, transcript in zip(drafts, transcripts, strict=True):
        _hear(draft, transcript.text, tokenizer, settings)
    samples = [
        Sample(
            draft.question,
            draft.k,
            Completion(draft.ids, draft.logprobs, draft.stop_reason),
            draft.text,
            draft.by_tool,
            transcript.executions,
        )
        for draft, transcript in zip(drafts, transcripts, strict=True)
    ]
    return [samples[start : start + size] for start in range(0, len(samples), size)]


def _hear(draft: _Draft, whole: str, tokenizer: Tokenizer, settings: GrpoSettings) -> None:
    """Add what the tool has written since the policy's last word."""
    text = whole[len(draft.text) :]
    if text:
        ids = tokenizer.encode(text)[: settings.max_new_tokens - len(draft.ids)]
        draft.add(ids, [0.0] * len(ids), True, text)


def _draw(
    policy: Decoder,
    tokenizer: Tokenizer,
    drafts: list[_Draft],
    settings: GrpoSettings,
    seed: int,
    turn: int,
) -> list[Completion]:
    """What each draft goes on with; the first turn draws whole groups, which share a prompt."""
    left = [settings.max_new_tokens - len(draft.ids) for draft in drafts]
    going = [draft for draft, room in zip(drafts, left, strict=True) if room > 0]
    if not going:
        return [Completion([], [], "length")] * len(drafts)
    n = settings.group_size if turn == 0 else 1
    asked = going[::n]
    groups = sample(
        policy,
        [draft.question.prompt_ids + draft.ids for draft in asked],
        n=n,
        max_new_tokens=max(left),
        temperature=settings.temperature,
        top_p=settings.top_p,
        stop_ids={tokenizer.eos_id or 0},
        ended=lambda tail: STOP in tokenizer.decode(tail),
        seed=seed,
        prompt_keys=[derive(turn, d.place, d.k) if turn else d.place for d in asked],
        max_rows=settings.sampler_rows,
    )
    drawn = iter(done for group in groups for done in group)
    nothing = Completion([], [], "length")
    return [next(drawn) if room > 0 else nothing for room in left]


def _say(draft: _Draft, done: Completion, tokenizer: Tokenizer, settings: GrpoSettings) -> Turn:
    """Add what the policy wrote: up to its question to the tool, its end token, or the limit."""
    ids = done.token_ids[: settings.max_new_tokens - len(draft.ids)]
    text = tokenizer.decode(ids)
    if STOP in text:
        # The sampler looks every few tokens only: drop what it drew behind the stop text.
        lengths = range(1, len(ids) + 1)
        ids = ids[: bisect_left(lengths, True, key=lambda n: STOP in tokenizer.decode(ids[:n])) + 1]
        text = until_stop(tokenizer.decode(ids))
        draft.stop_reason, ended = "rounds", False
    else:
        ended = bool(ids) and ids[-1] == tokenizer.eos_id
        draft.stop_reason = "stop" if ended else "length"
    draft.add(ids, done.logprobs[: len(ids)], False, text)
    return Turn(text, ended)
