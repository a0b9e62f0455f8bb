"""Answering by a server that speaks OpenAI's interface: vLLM, SGLang, llama.cpp, transformers …

Many requests at once; what fails for a while (429, 5xx, a cut connection, half an answer) is tried
again with growing pauses, as long as the settings' patience; a question that the server refuses
costs that question only.
"""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import tenacity

from seekmath.core.files import BadInput
from seekmath.core.seeds import derive
from seekmath.evaluate.answer import GREEDY, Ask, Keep, Reply, Run, wanted_ks
from seekmath.evaluate.prompts import cut_at
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.verify.python_tool import STOP, Turn, integrate

_AGAIN = {408, 409, 425, 429}
_REFUSED = {400, 413, 422}
_LONGEST_PAUSE_S = 60.0
_MOST_STOPS = 4  # of OpenAI's interface
_REFUSALS_IN_A_ROW = 3


class _Again(Exception):
    """A failure that may pass; ``after_s`` is how long the server asks to wait."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Endpoint:
    """A model behind a server.

    Raises:
        BadInput: from ``answer``, when the address, the key or the model's name is wrong, when
            the server stays silent longer than ``patience_s``, or refuses the first questions.
    """

    def __init__(
        self, model: str, settings: EvaluateSettings, seed: int, run: Run | None = None
    ) -> None:
        self._model, self._settings, self._seed, self._run = model, settings, seed, run
        self._answered = self._refused = 0

    def ks(self, problem_id: str, sampled: bool) -> list[int]:
        """See ``Answerer``."""
        return wanted_ks(self._settings, sampled)

    def answer(self, asks: list[Ask], keep: Keep) -> None:
        """See ``Answerer``."""
        asyncio.run(self._answer(asks, keep))

    async def _answer(self, asks: list[Ask], keep: Keep) -> None:
        """``concurrency`` workers take the asks in order."""
        count = self._settings.concurrency
        waiting = iter(asks)
        key = os.environ.get("OPENAI_API_KEY", "")
        with ThreadPoolExecutor(count) as pool:
            async with httpx.AsyncClient(
                base_url=self._settings.endpoint.rstrip("/"),
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=self._settings.timeout_s,
                limits=httpx.Limits(max_connections=count, max_keepalive_connections=count),
            ) as client:
                workers = [self._work(client, pool, waiting, keep) for _ in range(count)]
                tasks = [asyncio.ensure_future(worker) for worker in workers]
                try:
                    await asyncio.gather(*tasks)
                finally:
                    for task in tasks:
                        task.cancel()

    async def _work(
        self,
        client: httpx.AsyncClient,
        pool: ThreadPoolExecutor,
        waiting: Iterator[Ask],
        keep: Keep,
    ) -> None:
        for ask in waiting:
            if self._settings.mode == "tool" and self._run:
                loop = asyncio.get_running_loop()
                reply = await loop.run_in_executor(
                    pool, self._integrated, ask, client, self._run, loop
                )
            else:
                reply = await self._ask(client, ask, "")
            keep(ask, reply)

    def _integrated(
        self, ask: Ask, client: httpx.AsyncClient, run: Run, loop: asyncio.AbstractEventLoop
    ) -> Reply:
        """Tool-integrated reasoning on one question, in a thread of its own."""
        replies: list[Reply] = []

        def generate(numbers: list[int], written: list[str]) -> list[Turn]:
            asked = self._ask(client, ask, written[0], STOP)
            reply = asyncio.run_coroutine_threadsafe(asked, loop).result()
            replies.append(reply)
            # Servers drop the stop text: whether it was written shows in the fences alone.
            return [Turn(reply.text, ended=False)]

        done = integrate(1, generate, run, rounds=self._settings.rounds)[0]
        tokens = [reply.tokens or 0 for reply in replies]
        return Reply(done.text, sum(tokens), replies[-1].stop_reason, executions=done.executions)

    async def _ask(self, client: httpx.AsyncClient, ask: Ask, written: str, *stops: str) -> Reply:
        body = self._body(ask, written, stops)
        path = "/chat/completions" if self._settings.api == "chat" else "/completions"
        try:
            async for attempt in tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception_type((_Again, httpx.TransportError)),
                stop=tenacity.stop_after_delay(self._settings.patience_s),
                wait=_pause,
                reraise=True,
            ):
                with attempt:
                    return self._reply(await _post(client, path, body), ask)
        except (_Again, httpx.TransportError) as error:
            raise BadInput(
                f"--endpoint: {self._settings.endpoint}: no answer for"
                f" {self._settings.patience_s:.0f} s; last: {_name(error)};"
                " the same command goes on where it was"
            ) from None
        except _Refusal as refusal:
            return self._refusal(str(refusal))
        raise AssertionError("unreachable")

    def _body(self, ask: Ask, written: str, stops: tuple[str, ...]) -> dict[str, Any]:
        greedy = ask.k == GREEDY
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": self._settings.max_new_tokens,
            "temperature": 0 if greedy else self._settings.temperature,
            "seed": derive(self._seed, "evaluate", ask.problem_id, ask.k) & 0x7FFFFFFF,
        }
        if self._settings.api == "chat":
            body["messages"] = [{"role": "user", "content": ask.prompt.message}]
        else:
            body["prompt"] = ask.prompt.text + written
        if not greedy and self._settings.top_p < 1:
            body["top_p"] = self._settings.top_p
        if all_stops := [*ask.prompt.stops, *stops]:
            body["stop"] = all_stops[:_MOST_STOPS]
        return body

    def _reply(self, answer: dict[str, Any], ask: Ask) -> Reply:
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] if "message" in choice else choice["text"]
        except (KeyError, IndexError, TypeError):
            raise _Again(f"an answer without choices: {str(answer)[:200]}") from None
        self._answered += 1
        usage = answer.get("usage") or {}
        tokens = usage.get("completion_tokens")
        reason = str(choice.get("finish_reason") or "stop")
        return Reply(cut_at(str(text or ""), ask.prompt.stops), tokens, reason)

    def _refusal(self, message: str) -> Reply:
        self._refused += 1
        if not self._answered and self._refused >= _REFUSALS_IN_A_ROW:
            raise BadInput(f"--endpoint: {self._settings.endpoint}: refuses: {message}")
        return Reply("", 0, f"refused: {message}")


class _Refusal(Exception):
    """The server will not answer this question, however often it is asked."""


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(path, json=body)
    status, where = response.status_code, f"{client.base_url}{path.lstrip('/')}"
    if status in _AGAIN or status >= 500:
        raise _Again(f"HTTP {status} {_message(response)}", _retry_after_s(response))
    if status in _REFUSED:
        raise _Refusal(f"HTTP {status} {_message(response)}")
    if status != 200:
        fix = {401: "set OPENAI_API_KEY", 403: "the key may not use this model"}.get(
            status, "check --endpoint (it usually ends in /v1) and --model"
        )
        raise BadInput(f"--endpoint: {where}: HTTP {status} {_message(response)}; {fix}")
    try:
        answer = response.json()
    except ValueError:
        raise _Again("half an answer: its body is not valid JSON") from None
    if not isinstance(answer, dict):
        raise _Again("an answer that is no JSON object")
    return answer


def _message(response: httpx.Response) -> str:
    try:
        error = response.json()
    except ValueError:
        return response.text[:200]
    if isinstance(error, dict):
        error = error.get("error", error)
    return str(error.get("message", error) if isinstance(error, dict) else error)[:200]


def _retry_after_s(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(value), 600.0) if value.replace(".", "", 1).isdecimal() else 0.0


_growing = tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE_S)


def _pause(state: tenacity.RetryCallState) -> float:
    """As long as the server asks for, or a random pause that doubles its bound each time."""
    error = state.outcome.exception() if state.outcome else None
    return max(error.after_s if isinstance(error, _Again) else 0.0, _growing(state))


def _name(error: Exception) -> str:
    return f"{type(error).__name__.lstrip('_')}: {error}" if str(error) else type(error).__name__
