"""The native sampler: a group shares its prompt's prefill, ended rows leave, others take over.

Every random number is a pure function of (seed, prompt key, sample, position), so a completion
does not depend on what else is in the batch.
"""

# P prompts, R rows (samples under way), V vocabulary, N new tokens at most

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from seekmath.core.seeds import derive
from seekmath.model.decoder import Decoder
from seekmath.model.group_cache import GroupCache, Recorder
from seekmath.model.linear import rounded_once
from seekmath.model.replay import Replay
from seekmath.model.token_step import TokenStep

# Ended rows are dropped once they are this share of the batch: copying the cache costs too.
_COMPACT_SHARE = 0.15
# ``ended`` is asked after so many tokens of a row: decoding text costs, a few tokens more do not.
_LOOK_EVERY = 8


@dataclass(frozen=True)
class Completion:
    """One sampled continuation.

    ``token_ids`` hold the stop token where there is one; ``logprobs`` are those of each token
    under the distribution it was drawn from (temperature 1 when greedy), in nats.
    """

    token_ids: list[int]
    logprobs: list[float]
    stop_reason: str  # "stop" or "length"


@dataclass
class _Rows:
    """Samples under way; the first dimension of each tensor is the row."""

    prompt_R: Tensor
    sample_R: Tensor
    length_R: Tensor  # tokens fed so far, and so the position of the next
    last_R: Tensor  # the token to feed next
    count_R: Tensor  # completion tokens so far
    token_RN: Tensor
    logprob_RN: Tensor
    uniform_RN: Tensor  # the row's draws in [0, 1), one for each token
    ended_R: Tensor
    stopped_R: Tensor


@dataclass(frozen=True)
class _Plan:
    """What stays the same for a whole call."""

    n: int
    new_tokens: int
    temperature: float
    top_p: float
    stops: Tensor
    context: int
    ended: Callable[[list[int]], bool] | None


@torch.inference_mode()
def sample(
    model: Decoder,
    prompts: list[list[int]],
    *,
    n: int,
    max_new_tokens: int,
    temperature: float,
    top_p: float = 1.0,
    stop_ids: set[int],
    ended: Callable[[list[int]], bool] | None = None,
    seed: int,
    prompt_keys: list[int] | None = None,
    max_rows: int = 256,
) -> list[list[Completion]]:
    """Draw ``n`` completions of each prompt.

    Args:
        model: any decoder; its context bounds prompt and completion together.
        prompts: token ids, each at least one long.
        n: completions per prompt.
        max_new_tokens: after so many tokens a completion is cut ("length").
        temperature: 0 is greedy.
        top_p: keep the likeliest tokens that together reach this probability.
        stop_ids: tokens that end a completion ("stop").
        ended: whether a completion has ended, by its last tokens (say, by a stop text that may
            be spelled in several ways); asked after every eighth token.
        seed: with prompt key, sample number and position it decides every draw.
        prompt_keys: what names each prompt in the seeds; its place in the list by default.
        max_rows: completions under way at once (at least one group).

    Returns:
        Completions as [prompt][sample].

    Raises:
        ValueError: a prompt is empty or leaves no room in the context.
    """
    context = model.config.max_position_embeddings
    longest = max(map(len, prompts), default=0)
    if longest >= context or any(not prompt for prompt in prompts):
        raise ValueError(f"prompts must hold 1 to {context - 1} tokens; the longest has {longest}")
    device = model.rotation_SD.device
    stops = torch.tensor(sorted(stop_ids) or [-1], device=device)
    plan = _Plan(n, max_new_tokens, temperature, top_p, stops, context, ended)
    keys = prompt_keys or list(range(len(prompts)))
    with rounded_once(model):
        return _run(model, plan, prompts, keys, seed, max_rows)


def _run(
    model: Decoder,
    plan: _Plan,
    prompts: list[list[int]],
    keys: list[int],
    seed: int,
    max_rows: int,
) -> list[list[Completion]]:
    n, device = plan.n, plan.stops.device
    # Longest first: prompts of like length are prefilled together.
    one = TokenStep(model) if TokenStep.serves(model) else None
    waiting = deque(sorted(range(len(prompts)), key=lambda p: -len(prompts[p])))
    done: list[list[Completion]] = [[Completion([], [], "")] * n for _ in prompts]
    rows: _Rows | None = None
    cache: GroupCache | None = None
    while waiting or rows is not None:
        room = max_rows - (0 if rows is None else len(rows.last_R))
        if waiting and (rows is None or room >= max(n, max_rows // 4)):
            taken = [waiting.popleft() for _ in range(min(len(waiting), max(1, room // n)))]
            fresh_cache = _prefill(model, plan, [prompts[p][:-1] for p in taken])
            fresh = _fresh_rows(plan, prompts, taken, keys, seed, device)
            rows = fresh if rows is None else _joined(rows, fresh)
            cache = fresh_cache if cache is None else cache.join(fresh_cache)
        assert rows is not None
        assert cache is not None
        _draw(plan, rows, _decode(model, one, rows, cache))
        if plan.ended:
            _look(plan.ended, rows)
        over = int(rows.ended_R.sum())
        if over == len(rows.last_R):
            _collect(rows, done)
            rows, cache = None, None
        elif over > _COMPACT_SHARE * len(rows.last_R):
            _collect(rows, done)
            kept = (~rows.ended_R).nonzero()[:, 0]
            rows, cache = _kept(rows, kept), cache.keep(kept)
    return done


def _prefill(model: Decoder, plan: _Plan, heads: list[list[int]]) -> GroupCache:
    """Run all but the last token of each prompt, once for its whole group."""
    device = model.rotation_SD.device
    lengths_P = torch.tensor([len(head) for head in heads], device=device)
    width = max(1, *map(len, heads))
    tokens_PT = torch.tensor([head + [0] * (width - len(head)) for head in heads], device=device)
    recorder = Recorder()
    model.hidden(tokens_PT, cache=recorder)
    return GroupCache.begin(
        recorder.layers, lengths_P, plan.n, plan.new_tokens, fixed=device.type == "cuda"
    )


def _fresh_rows(
    plan: _Plan,
    prompts: list[list[int]],
    taken: list[int],
    keys: list[int],
    seed: int,
    device: torch.device,
) -> _Rows:
    pairs = [(p, s) for p in taken for s in range(plan.n)]
    count = len(pairs)

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, device=device)

    def zeros(*shape: int, dtype: torch.dtype = torch.long) -> Tensor:
        return torch.zeros(*shape, dtype=dtype, device=device)

    return _Rows(
        prompt_R=column([p for p, _ in pairs]),
        sample_R=column([s for _, s in pairs]),
        length_R=column([len(prompts[p]) - 1 for p, _ in pairs]),
        last_R=column([prompts[p][-1] for p, _ in pairs]),
        count_R=zeros(count),
        token_RN=zeros(count, plan.new_tokens),
        logprob_RN=zeros(count, plan.new_tokens, dtype=torch.float32),
        uniform_RN=_uniform(
            [derive(seed, "sample", keys[p], s) for p, s in pairs], plan.new_tokens
        ).to(device),
        ended_R=zeros(count, dtype=torch.bool),
        stopped_R=zeros(count, dtype=torch.bool),
    )


def _decode(model: Decoder, one: TokenStep | None, rows: _Rows, cache: GroupCache) -> Tensor:
    """Feed each row's last token; the (R, V) logits of its next."""
    if one is not None:
        logits_RV = one(rows.last_R, rows.length_R, cache)
        cache.end_step()
        return logits_RV
    if cache.begin_step() and cache.fixed and rows.last_R.is_cuda:
        cache.replay = Replay(partial(_logits, model, cache), rows.last_R, rows.length_R)
    if cache.replay is None:
        logits_RV = _logits(model, cache, rows.last_R, rows.length_R)
    else:
        logits_RV = cache.replay(rows.last_R, rows.length_R)
    cache.end_step()
    return logits_RV


def _logits(model: Decoder, cache: GroupCache, last_R: Tensor, length_R: Tensor) -> Tensor:
    hidden_R1C = model.hidden(last_R[:, None], positions_BT=length_R[:, None], cache=cache)
    return model.logits(hidden_R1C[:, 0])


def _draw(plan: _Plan, rows: _Rows, logits_RV: Tensor) -> None:
    """Choose each row's next token and note it; rows that have ended stay as they are."""
    # A row that has ended waits for its removal: what it draws is never read.
    place_R1 = rows.count_R.clamp(max=plan.new_tokens - 1)[:, None]
    # A greedy choice is noted with its probability at temperature 1.
    scaled_RV = logits_RV.float() / (plan.temperature or 1.0)
    probability_RV = torch.softmax(scaled_RV, dim=-1)
    if plan.temperature > 0:
        if plan.top_p < 1:
            probability_RV = nucleus(probability_RV, plan.top_p)
        token_R = _inverse_cdf(probability_RV, rows.uniform_RN.gather(1, place_R1))
    else:
        token_R = logits_RV.argmax(dim=-1)
    logprob_R = probability_RV.gather(1, token_R[:, None])[:, 0].log()
    going_R = ~rows.ended_R
    _note(rows.token_RN, place_R1, token_R, going_R)
    _note(rows.logprob_RN, place_R1, logprob_R, going_R)
    rows.count_R += going_R
    rows.length_R += going_R
    rows.last_R = token_R
    rows.stopped_R |= going_R & torch.isin(token_R, plan.stops)
    # One more than was fed: prompt and completion together fill the context and no more.
    full_R = (rows.count_R >= plan.new_tokens) | (rows.length_R + 1 >= plan.context)
    rows.ended_R |= rows.stopped_R | full_R


def _look(ended: Callable[[list[int]], bool], rows: _Rows) -> None:
    """End the rows whose last tokens say so."""
    due_R = ~rows.ended_R & (rows.count_R % _LOOK_EVERY == 0)
    for row in due_R.nonzero()[:, 0].tolist():
        count = int(rows.count_R[row])
        tail = rows.token_RN[row, max(0, count - 4 * _LOOK_EVERY) : count].tolist()
        if ended(tail):
            rows.ended_R[row] = rows.stopped_R[row] = True


def _note(table_RN: Tensor, place_R1: Tensor, value_R: Tensor, going_R: Tensor) -> None:
    before_R1 = table_RN.gather(1, place_R1)
    table_RN.scatter_(1, place_R1, torch.where(going_R[:, None], value_R[:, None], before_R1))


def _inverse_cdf(probability_RV: Tensor, uniform_R1: Tensor) -> Tensor:
    cumulative_RV = probability_RV.cumsum(dim=-1)
    # Scaled by the sum as computed, so that rounding never points behind the last token.
    target_R1 = uniform_R1 * cumulative_RV[:, -1:]
    token_R1 = torch.searchsorted(cumulative_RV, target_R1, right=True)
    return token_R1[:, 0].clamp(max=probability_RV.shape[1] - 1)


def nucleus(probability_RV: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens that together reach ``top_p``, their sum scaled to one."""
    ordered_RV, order_RV = probability_RV.sort(dim=-1, descending=True)
    before_RV = ordered_RV.cumsum(dim=-1) - ordered_RV
    ordered_RV = ordered_RV.masked_fill(before_RV >= top_p, 0.0)
    kept_RV = torch.empty_like(probability_RV).scatter_(1, order_RV, ordered_RV)
    return kept_RV / kept_RV.sum(dim=-1, keepdim=True)


def _uniform(keys: list[int], count: int) -> Tensor:
    """Numbers in [0, 1) for each (row key, position), (R, count): splitmix64, counter-based."""
    position_N = np.arange(1, count + 1, dtype=np.uint64)
    state_RN = np.array(keys, dtype=np.int64).astype(np.uint64)[:, None]
    state_RN = state_RN + position_N * np.uint64(0x9E3779B97F4A7C15)
    state_RN = (state_RN ^ (state_RN >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state_RN = (state_RN ^ (state_RN >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state_RN ^= state_RN >> np.uint64(31)
    # 24 bits: every value is exact in fp32 and below one.
    return torch.from_numpy((state_RN >> np.uint64(40)).astype(np.float32) / 2**24)


def _collect(rows: _Rows, done: list[list[Completion]]) -> None:
    ended = rows.ended_R.nonzero()[:, 0].tolist()
    tokens, logprobs = rows.token_RN.tolist(), rows.logprob_RN.tolist()
    for row in ended:
        count = int(rows.count_R[row])
        reason = "stop" if bool(rows.stopped_R[row]) else "length"
        done[int(rows.prompt_R[row])][int(rows.sample_R[row])] = Completion(
            tokens[row][:count], logprobs[row][:count], reason
        )


def _kept(rows: _Rows, kept: Tensor) -> _Rows:
    return _Rows(**{field.name: getattr(rows, field.name)[kept] for field in fields(_Rows)})


def _joined(rows: _Rows, fresh: _Rows) -> _Rows:
    pairs = {f.name: (getattr(rows, f.name), getattr(fresh, f.name)) for f in fields(_Rows)}
    return _Rows(**{name: torch.cat(pair) for name, pair in pairs.items()})
