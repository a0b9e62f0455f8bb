"""A policy's gradient from credited outputs: micro-batches by tokens, one sum (paper, eq. 5)."""

# N outputs of a micro-batch, T tokens of the longest

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from seekmath.model.decoder import Decoder
from seekmath.rl.method import Credit, Method, TokenBatch
from seekmath.rl.objective import clipped, outputs_mean, token_kl, token_ratio
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.shared_prompts import SharedPrompts, TokenLogprobs

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
    """A micro-batch of outputs; what later passes of the same step need is kept by the first."""

    prompt_N: list[int]
    completions: list[list[int]]
    advantage_NT: Tensor
    drawn_NT: Tensor
    old_NT: Tensor | None = None
    reference_NT: Tensor | None = None


@dataclass(frozen=True)
class Chunk:
    """Prompts that are run together, and their outputs in micro-batches."""

    prompts: list[list[int]]
    parts: list[Part]


def plan_chunks(credits: list[Credit], most_tokens: int, device: torch.device) -> list[Chunk]:
    """Split outputs by tokens, padding included: first the prompts, then outputs of like length.

    No chunk's prompts and no micro-batch exceed ``most_tokens`` unless one row alone does. The
    split is a function of the lengths, so a resumed run splits alike.
    """
    prompts = {c.judged.sample.question.text: c.judged.sample.question.prompt_ids for c in credits}
    chunks = []
    for names in _split(list(prompts), lambda name: len(prompts[name]), most_tokens):
        place = {name: number for number, name in enumerate(names)}
        mine = [credit for credit in credits if credit.judged.sample.question.text in place]
        parts = [_part(some, place, device) for some in _split(mine, _length, most_tokens)]
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

    Without a reference (KL weight zero) the policy stands in for it: its KL is zero.
    """
    meter = Meter()
    outputs = sum(len(part.completions) for chunk in chunks for part in chunk.parts)
    for chunk in chunks:
        shared = SharedPrompts(policy, chunk.prompts)
        _reference_logprobs(reference, chunk, settings)
        for part in chunk.parts:
            found = shared.logprobs(
                part.prompt_N, part.completions, temperature=settings.temperature
            )
            batch = _token_batch(part, found)
            coefficient_NT = method.coefficient(batch)
            (-outputs_mean(coefficient_NT * found.logprob_NT, found.mask_NT, outputs)).backward()
            meter.loss -= float(outputs_mean(method.objective(batch), found.mask_NT, outputs))
            _measure(meter, part, batch, found, settings)
        shared.backward()
    return meter


def _split(items: list[Item], length: Callable[[Item], int], most_tokens: int) -> list[list[Item]]:
    """Items of like length together, each lot padded to its longest within ``most_tokens``."""
    lots: list[list[Item]] = []
    for item in sorted(items, key=length):
        # Sorted upwards: the newcomer sets the width of its whole lot.
        if lots and (len(lots[-1]) + 1) * length(item) <= most_tokens:
            lots[-1].append(item)
        else:
            lots.append([item])
    return lots


def _length(credit: Credit) -> int:
    return len(credit.token_advantages)


def _part(credits: list[Credit], place: dict[str, int], device: torch.device) -> Part:
    samples = [credit.judged.sample for credit in credits]
    return Part(
        [place[sample.question.text] for sample in samples],
        [sample.completion.token_ids for sample in samples],
        _padded([credit.token_advantages for credit in credits], device),
        _padded([sample.completion.logprobs for sample in samples], device),
    )


def _padded(rows: list[list[float]], device: torch.device) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [0.0] * (width - len(row)) for row in rows], device=device)


@torch.no_grad()
def _reference_logprobs(reference: Decoder | None, chunk: Chunk, settings: GrpoSettings) -> None:
    if reference is None or chunk.parts[0].reference_NT is not None:
        return
    shared = SharedPrompts(reference, chunk.prompts)
    for part in chunk.parts:
        found = shared.logprobs(part.prompt_N, part.completions, temperature=settings.temperature)
        part.reference_NT = found.logprob_NT


def _token_batch(part: Part, found: TokenLogprobs) -> TokenBatch:
    logprob_NT = found.logprob_NT.detach()
    if part.old_NT is None:
        # The first pass sees the policy that sampled: with one update the ratio is exactly one.
        part.old_NT = logprob_NT
    reference_NT = logprob_NT if part.reference_NT is None else part.reference_NT
    return TokenBatch(logprob_NT, part.old_NT, reference_NT, part.advantage_NT, found.mask_NT)


def _measure(
    meter: Meter, part: Part, batch: TokenBatch, found: TokenLogprobs, settings: GrpoSettings
) -> None:
    mask_NT = batch.mask_NT
    ratio_NT = token_ratio(batch.logprob_NT, batch.old_NT)
    outside_NT = clipped(ratio_NT, batch.advantage_NT, settings.clip_epsilon)
    meter.tokens += int(mask_NT.sum())
    meter.kl += float((token_kl(batch.logprob_NT, batch.reference_NT) * mask_NT).sum())
    meter.entropy += float(found.entropy_NT.sum())
    meter.clipped += float((outside_NT & mask_NT).sum())
    gap_NT = (part.drawn_NT - batch.logprob_NT).abs() * mask_NT
    meter.gap = max(meter.gap, float(gap_NT.max()))
