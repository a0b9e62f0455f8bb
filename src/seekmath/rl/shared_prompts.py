"""Log-probabilities of many completions whose prompts are computed once.

A group's G completions share their prompt, so the prompt's keys and values are computed once, with
gradient, and read by every micro-batch of completions. Each micro-batch leaves its gradient at the
keys and values; one backward pass over the prompts at the end carries it on. The result is that of
prompts and completions side by side, at the cost of one prompt instead of G.
"""

# P prompts, L tokens of the longest less one, N completions, T tokens of the longest, M completion
# tokens, C width of the model, V vocabulary

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from seekmath.model.decoder import Decoder, LayerCache
from seekmath.model.group_attention import GroupAttention, pack
from seekmath.model.group_cache import Recorder

# Logits made at once: beyond, they are made in lots and once more in the backward pass.
_MOST_LOGITS = 2**24


class TokenLogprobs(NamedTuple):
    """(N, T) each: log-probabilities in nats, entropies without gradient, and what is a token."""

    logprob_NT: Tensor
    entropy_NT: Tensor
    mask_NT: Tensor


class SharedPrompts:
    """Prompts of one model, run once; ``logprobs`` any number of times, then ``backward`` once."""

    def __init__(self, model: Decoder, prompts: list[list[int]]) -> None:
        """Run all but the last token of each prompt; gradient is kept unless under no_grad."""
        self._model, self._prompts = model, prompts
        self._made = _run_prompts(model, [prompt[:-1] for prompt in prompts])
        # Cut here: micro-batches send their gradient to these leaves, one after the other.
        self._leaves = [
            LayerCache(
                layer.keys.detach().requires_grad_(layer.keys.requires_grad),
                layer.values.detach().requires_grad_(layer.values.requires_grad),
            )
            for layer in self._made
        ]

    def logprobs(
        self, prompt_N: list[int], completions: list[list[int]], *, temperature: float = 1.0
    ) -> TokenLogprobs:
        """Log-probability of every completion token given prompt and what stands before it.

        Args:
            prompt_N: the number of each completion's prompt.
            completions: token ids, each at least one long.
            temperature: divides the logits, as in sampling.
        """
        device = self._model.rotation_SD.device
        # Prompt by prompt, and without padding: only attention ever sees rows.
        order = sorted(range(len(prompt_N)), key=lambda n: prompt_N[n])
        owners, rows = [prompt_N[n] for n in order], [completions[n] for n in order]
        fed = [[self._prompts[p][-1], *ids[:-1]] for p, ids in zip(owners, rows, strict=True)]
        before = [len(self._prompts[p]) - 1 for p in owners]
        packing = pack(
            owners,
            [len(ids) for ids in rows],
            [len(prompt) - 1 for prompt in self._prompts],
            self._model.config.num_attention_heads,
            device,
        )
        position_M = [b + t for b, ids in zip(before, rows, strict=True) for t in range(len(ids))]
        hidden_1MC = self._model.hidden(
            _flat(fed, device)[None],
            positions_BT=torch.tensor([position_M], device=device),
            cache=GroupAttention(packing, self._leaves),
        )
        logprob_M, entropy_M = _token_logprobs(
            self._model, hidden_1MC[0], _flat(rows, device), temperature
        )
        width = max(map(len, completions))
        place_M = torch.tensor(
            [n * width + t for n in order for t in range(len(completions[n]))], device=device
        )
        zeros = logprob_M.new_zeros(len(completions) * width)
        lengths_N1 = torch.tensor([[len(ids)] for ids in completions], device=device)
        return TokenLogprobs(
            zeros.scatter(0, place_M, logprob_M).view(-1, width),
            zeros.scatter(0, place_M, entropy_M).view(-1, width),
            torch.arange(width, device=device) < lengths_N1,
        )

    def backward(self) -> None:
        """Carry the gradient gathered at the prompts' keys and values on to the weights."""
        pairs = [
            (made, leaf.grad)
            for layer, leaves in zip(self._made, self._leaves, strict=True)
            for made, leaf in ((layer.keys, leaves.keys), (layer.values, leaves.values))
            if leaf.grad is not None
        ]
        torch.autograd.backward([made for made, _ in pairs], [grad for _, grad in pairs])


def _run_prompts(model: Decoder, heads: list[list[int]]) -> list[LayerCache]:
    width = max(1, *map(len, heads))
    tokens_PL = torch.tensor(
        [head + [0] * (width - len(head)) for head in heads], device=model.rotation_SD.device
    )
    recorder = Recorder()
    model.hidden(tokens_PL, cache=recorder)
    return recorder.layers


def _flat(rows: list[list[int]], device: torch.device) -> Tensor:
    return torch.tensor([token for ids in rows for token in ids], device=device)


def _token_logprobs(
    model: Decoder, hidden_MC: Tensor, target_M: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies; logits of a long vocabulary are never whole in memory."""
    rows = max(1, _MOST_LOGITS // model.config.vocab_size)
    if len(target_M) <= rows:
        return _of_logits(model, hidden_MC, target_M, temperature)
    found = [
        checkpoint(_of_logits, model, hidden, target, temperature, use_reentrant=False)
        for hidden, target in zip(hidden_MC.split(rows), target_M.split(rows), strict=True)
    ]
    return torch.cat([one for one, _ in found]), torch.cat([other for _, other in found])


def _of_logits(
    model: Decoder, hidden_MC: Tensor, target_M: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    logits_MV = model.logits(hidden_MC)
    if temperature != 1:
        logits_MV = logits_MV / temperature
    # At least fp32, whatever the weights are in.
    wide = torch.promote_types(logits_MV.dtype, torch.float32)
    log_all_MV = torch.log_softmax(logits_MV, dim=-1, dtype=wide)
    with torch.no_grad():
        entropy_M = -(log_all_MV.exp() * log_all_MV).sum(dim=-1)
    return log_all_MV.gather(1, target_M[:, None])[:, 0], entropy_M
