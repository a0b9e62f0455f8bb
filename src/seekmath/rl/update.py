"""A policy's gradient from credited outputs: micro-batches by tokens, one sum (paper, eq. 5)."""

# N outputs of a micro-batch, T tokens of the longest

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from seekmath.model.decoder import Decoder
from seekmath.rl.method import Credit, Method, terms_of
from seekmath.rl.objective import Scale, TokenBatch, clipped, policy_ratio, token_kl
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.shared_prompts import SharedPrompts, TokenLogprobs
from seekmath.rl.shares import sum_gradients, summed

Item = TypeVar("Item")


@dataclass
class Meter:
    """Sums over the tokens of one pass; ``gap`` is the largest difference in a log-probability."""

    loss: float = 0.0
    tokens: int = 0
    kl: float = 0.0
    entropy: float = 0.0
    clipped: float = 0.0
    gap: float = 0.0


@dataclass
class Part:
    """A micro-batch of outputs; what later passes of the same step need is kept by the first.

    ``written_NT`` is false at tokens that a tool wrote, which carry no loss.
    """

    prompt_N: list[int]
    completions: list[list[int]]
    advantage_NT: Tensor
    drawn_NT: Tensor
    written_NT: Tensor
    pair_N: Tensor
    old_NT: Tensor | None = None
    reference_NT: Tensor | None = None


@dataclass(frozen=True)
class Chunk:
    """Prompts that are run together, and their outputs in micro-batches."""

    prompts: list[list[int]]
    parts: list[Part]


def plan_chunks(credits: list[Credit], most_tokens: int, device: torch.device) -> list[Chunk]:
    """Split outputs by tokens, padding included: first the prompts, then outputs of like length.

    No chunk's prompts and no micro-batch exceed ``most_tokens`` unless one row (or pair) alone
    does. The split is a function of the lengths, so a resumed run splits alike.
    """
    prompts = {c.judged.sample.question.text: c.judged.sample.question.prompt_ids for c in credits}
    chunks = []
    for names in split_by_tokens(list(prompts), lambda name: len(prompts[name]), most_tokens):
        place = {name: number for number, name in enumerate(names)}
        mine = [credit for credit in credits if credit.judged.sample.question.text in place]
        lots = split_by_tokens(_units(mine), _length, most_tokens, _rows)
        parts = [_part([c for unit in lot for c in unit], place, device) for lot in lots]
        chunks.append(Chunk([prompts[name] for name in names], parts))
    return chunks


def accumulate(
    policy: Decoder,
    reference: Decoder | None,
    chunks: list[Chunk],
    method: Method,
    settings: GrpoSettings,
) -> Meter:
    """Add the gradient of all outputs to the policy's, and measure; the caller takes the step.

    ``chunks`` are this rank's outputs; gradient and measures are those of all ranks. Without a
    reference (KL weight zero) the policy stands in for it: its KL is zero.
    """
    meter = Meter()
    parts = [part for chunk in chunks for part in chunk.parts]
    outputs = sum(len(part.completions) for part in parts)
    tokens = sum(int(part.written_NT.sum()) for part in parts)
    outputs, tokens = map(int, summed([outputs, tokens]))
    scale = Scale(settings.loss_mean, outputs, tokens, settings.max_new_tokens)
    read_reference(reference, chunks, settings)
    for chunk in chunks:
        shared = SharedPrompts(policy, chunk.prompts)
        for part in chunk.parts:
            found = shared.logprobs(
                part.prompt_N, part.completions, temperature=settings.temperature
            )
            batch = _token_batch(part, found)
            coefficient_NT = method.coefficient(batch)
            (-scale(coefficient_NT * found.logprob_NT, batch.mask_NT)).backward()
            meter.loss -= float(scale(method.objective(batch), batch.mask_NT))
            _measure(meter, part, batch, found, settings)
        shared.backward()
    sum_gradients(policy)
    return _of_all_ranks(meter)


@torch.no_grad()
def read_reference(reference: Decoder | None, chunks: list[Chunk], settings: GrpoSettings) -> None:
    """Note the reference's log-probabilities, where they are not noted yet."""
    for chunk in chunks:
        if reference is None or chunk.parts[0].reference_NT is not None:
            continue
        shared = SharedPrompts(reference, chunk.prompts)
        for part in chunk.parts:
            found = shared.logprobs(
                part.prompt_N, part.completions, temperature=settings.temperature
            )
            part.reference_NT = found.logprob_NT


def _of_all_ranks(meter: Meter) -> Meter:
    loss, tokens, kl, entropy, outside = summed(
        [meter.loss, meter.tokens, meter.kl, meter.entropy, meter.clipped]
    )
    (gap,) = summed([meter.gap], largest=True)
    return Meter(loss, int(tokens), kl, entropy, outside, gap)


def split_by_tokens(
    items: list[Item],
    length: Callable[[Item], int],
    most_tokens: int,
    rows: Callable[[Item], int] = lambda item: 1,
) -> list[list[Item]]:
    """Items of like length together, each lot padded to its longest within ``most_tokens``."""
    lots: list[list[Item]] = []
    filled = 0
    for item in sorted(items, key=length):
        # Sorted upwards: the newcomer sets the width of its whole lot.
        if lots and (filled + rows(item)) * length(item) <= most_tokens:
            lots[-1].append(item)
            filled += rows(item)
        else:
            lots.append([item])
            filled = rows(item)
    return lots


def _units(credits: list[Credit]) -> list[list[Credit]]:
    """What must be computed together: a pair, or an output alone."""
    units: dict[tuple[int, int], list[Credit]] = {}
    for at, credit in enumerate(credits):
        key = (credit.pair, 0) if credit.pair >= 0 else (-1, at)
        units.setdefault(key, []).append(credit)
    return list(units.values())


def _rows(unit: list[Credit]) -> int:
    return len(unit)


def _length(unit: list[Credit]) -> int:
    return max(len(credit.token_advantages) for credit in unit)


def _part(credits: list[Credit], place: dict[str, int], device: torch.device) -> Part:
    samples = [credit.judged.sample for credit in credits]
    return Part(
        [place[sample.question.text] for sample in samples],
        [sample.completion.token_ids for sample in samples],
        _padded([credit.token_advantages for credit in credits], device),
        _padded([sample.completion.logprobs for sample in samples], device),
        _padded([[float(v) for v in sample.written] for sample in samples], device) > 0,
        torch.tensor(_partners([credit.pair for credit in credits]), device=device),
    )


def _partners(pair_N: list[int]) -> list[int]:
    """The row of each output's other half; its own row where it has none."""
    rows: dict[int, list[int]] = {}
    for row, pair in enumerate(pair_N):
        rows.setdefault(pair, []).append(row)
    return [row if pair < 0 else sum(rows[pair]) - row for row, pair in enumerate(pair_N)]


def _padded(rows: list[list[float]], device: torch.device) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [0.0] * (width - len(row)) for row in rows], device=device)


def _token_batch(part: Part, found: TokenLogprobs) -> TokenBatch:
    logprob_NT = found.logprob_NT.detach()
    if part.old_NT is None:
        # The first pass sees the policy that sampled: with one update the ratio is exactly one.
        part.old_NT = logprob_NT
    reference_NT = logprob_NT if part.reference_NT is None else part.reference_NT
    return TokenBatch(
        logprob_NT,
        part.old_NT,
        reference_NT,
        part.drawn_NT,
        part.advantage_NT,
        part.written_NT,
        part.pair_N,
    )


def _measure(
    meter: Meter, part: Part, batch: TokenBatch, found: TokenLogprobs, settings: GrpoSettings
) -> None:
    mask_NT, terms = batch.mask_NT, terms_of(settings)
    outside_NT = clipped(policy_ratio(batch, terms), batch.advantage_NT, terms)
    meter.tokens += int(mask_NT.sum())
    meter.kl += float((token_kl(batch.logprob_NT, batch.reference_NT) * mask_NT).sum())
    meter.entropy += float((found.entropy_NT * mask_NT).sum())
    meter.clipped += float((outside_NT & mask_NT).sum())
    gap_NT = (part.drawn_NT - batch.logprob_NT).abs() * mask_NT
    meter.gap = max(meter.gap, float(gap_NT.max()))
