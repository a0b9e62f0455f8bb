"""Answering with the native sampler on a model folder, its own programs run in between."""

from itertools import groupby
from pathlib import Path

import torch

from seekmath.core.seeds import derive
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.evaluate.answer import GREEDY, Ask, Keep, Reply, Run, wanted_ks
from seekmath.evaluate.prompts import Prompt, cut_at
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model, stop_ids
from seekmath.model.host import use_cpu
from seekmath.model.sampler import Completion, sample
from seekmath.verify.python_tool import STOP, Turn, integrate

# Completions asked for at once: many enough that ended rows always find a successor.
_AT_ONCE = 1024


class Native:
    """The native sampler on a model folder, which is loaded when it is first asked."""

    def __init__(
        self, folder: str | Path, settings: EvaluateSettings, seed: int, run: Run | None = None
    ) -> None:
        self._folder, self._settings, self._seed, self._run = folder, settings, seed, run
        self._loaded: tuple[Decoder, Tokenizer] | None = None
        self._encoded: dict[str, list[int]] = {}

    def ks(self, problem_id: str, sampled: bool) -> list[int]:
        """See ``Answerer``."""
        return wanted_ks(self._settings, sampled)

    def answer(self, asks: list[Ask], keep: Keep) -> None:
        """See ``Answerer``. A problem's samples are drawn together and share its prompt."""
        self._encoded.clear()
        ordered = sorted(asks, key=lambda ask: ask.k != GREEDY)  # stable: greedy ones first
        for greedy, part in groupby(ordered, key=lambda ask: ask.k == GREEDY):
            fitting = []
            for ask in part:
                if self._fits(ask):
                    fitting.append(ask)
                else:
                    keep(ask, Reply("", 0, "the prompt leaves no room in the context"))
            for batch in _batches(fitting, _AT_ONCE if not greedy else 4 * self._settings.max_rows):
                for ask, reply in zip(batch, self._replies(batch), strict=True):
                    keep(ask, reply)

    def _fits(self, ask: Ask) -> bool:
        return len(self._ids(ask.prompt)) < self._model()[0].config.max_position_embeddings

    def _replies(self, asks: list[Ask]) -> list[Reply]:
        if self._settings.mode == "tool" and self._run:
            return self._integrated(asks, self._run)
        return [self._reply(ask, done) for ask, done in zip(asks, self._group(asks), strict=True)]

    def _integrated(self, asks: list[Ask], run: Run) -> list[Reply]:
        """Tool-integrated reasoning: each round continues all that wait for a program's output."""
        tokens = [0] * len(asks)
        ends = [""] * len(asks)
        turns = 0

        def generate(numbers: list[int], written: list[str]) -> list[Turn]:
            nonlocal turns
            some = [asks[number] for number in numbers]
            drawn = self._group(some, STOP) if not turns else self._singles(some, written, turns)
            turns += 1
            found = []
            for number, completion in zip(numbers, drawn, strict=True):
                tokens[number] += len(completion.token_ids)
                ends[number] = completion.stop_reason
                text = self._decode(completion)
                ended = completion.stop_reason == "stop" and STOP not in text
                found.append(Turn(text, ended))
            return found

        transcripts = integrate(len(asks), generate, run, rounds=self._settings.rounds)
        return [
            Reply(done.text, tokens[n], ends[n], executions=done.executions)
            for n, done in enumerate(transcripts)
        ]

    def _group(self, asks: list[Ask], *stops: str) -> list[Completion]:
        """First completions: all samples of a problem are drawn together, those asked for kept."""
        greedy = asks[0].k == GREEDY
        firsts = {ask.problem_id: ask for ask in asks}
        n = 1 if greedy else self._settings.samples
        prompts = [self._ids(ask.prompt) for ask in firsts.values()]
        # The same problem draws the same numbers, whatever else is asked with it.
        keys = [derive(0, name) for name in firsts]
        texts = (*asks[0].prompt.stops, *stops)
        drawn = dict(zip(firsts, self._sample(prompts, keys, n, greedy, texts), strict=True))
        return [drawn[ask.problem_id][0 if greedy else ask.k] for ask in asks]

    def _singles(self, asks: list[Ask], written: list[str], turn: int) -> list[Completion]:
        """What follows on each text written so far."""
        tokenizer = self._model()[1]
        room = self._model()[0].config.max_position_embeddings - 1
        prompts = [
            (self._ids(ask.prompt) + tokenizer.encode(text))[:room]
            for ask, text in zip(asks, written, strict=True)
        ]
        keys = [derive(0, ask.problem_id, ask.k, turn) for ask in asks]
        texts = (*asks[0].prompt.stops, STOP)
        groups = self._sample(prompts, keys, 1, asks[0].k == GREEDY, texts)
        return [group[0] for group in groups]

    def _sample(
        self,
        prompts: list[list[int]],
        keys: list[int],
        n: int,
        greedy: bool,
        stops: tuple[str, ...],
    ) -> list[list[Completion]]:
        decoder, tokenizer = self._model()
        stops_by_id = stop_ids(self._folder)
        if tokenizer.eos_id is not None:
            stops_by_id.add(tokenizer.eos_id)

        def ended(token_ids: list[int]) -> bool:
            text = tokenizer.decode(token_ids)
            return any(stop in text for stop in stops)

        return sample(
            decoder,
            prompts,
            n=n,
            max_new_tokens=self._settings.max_new_tokens,
            temperature=0.0 if greedy else self._settings.temperature,
            top_p=1.0 if greedy else self._settings.top_p,
            stop_ids=stops_by_id,
            ended=ended if stops else None,
            seed=derive(self._seed, "evaluate"),
            prompt_keys=keys,
            max_rows=self._settings.max_rows,
        )

    def _reply(self, ask: Ask, done: Completion) -> Reply:
        text = cut_at(self._decode(done), ask.prompt.stops)
        ids = done.token_ids
        return Reply(text, len(ids), done.stop_reason, tuple(ids), tuple(done.logprobs))

    def _decode(self, completion: Completion) -> str:
        return self._model()[1].decode(completion.token_ids)

    def _ids(self, prompt: Prompt) -> list[int]:
        if prompt.text not in self._encoded:
            tokenizer = self._model()[1]
            start = [] if tokenizer.bos_id is None or prompt.special else [tokenizer.bos_id]
            encode = tokenizer.encode_template if prompt.special else tokenizer.encode
            self._encoded[prompt.text] = start + encode(prompt.text)
        return self._encoded[prompt.text]

    def _model(self) -> tuple[Decoder, Tokenizer]:
        if self._loaded is None:
            use_cpu(self._settings.threads)
            device = _device(self._settings.device)
            self._loaded = load_model(self._folder, device), Tokenizer.load(self._folder)
        return self._loaded


def _batches(asks: list[Ask], most: int) -> list[list[Ask]]:
    """About ``most`` asks each; the samples of one problem stay together."""
    batches: list[list[Ask]] = []
    for _, group in groupby(asks, key=lambda ask: ask.problem_id):
        some = list(group)
        if not batches or len(batches[-1]) + len(some) > most:
            batches.append([])
        batches[-1] += some
    return batches


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
