"""Log-probabilities of many completions whose prompts are computed once.

A group's G completions share their prompt, so the prompt's keys and values are computed once, with
gradient, and read by every micro-batch of completions. Each micro-batch leaves its gradient at the
keys and values; one backward pass over the prompts at the end carries it on. The result is that of
prompts and completions side by side, at the cost of one prompt instead of G.
"""

# P prompts, N completions, T tokens of the longest, L longest prompt less one, S = L + T slots,
# K key-value heads, D width of a head, C width of the model, M completion tokens, V vocabulary

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.model.decoder import Cache, Decoder, LayerCache


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
        lasts = [self._prompts[p][-1] for p in prompt_N]
        tokens_NT, mask_NT = _padded_ids(completions, device)
        fed_NT, _ = _padded_ids(
            [[last, *ids[:-1]] for last, ids in zip(lasts, completions, strict=True)], device
        )
        longest = tokens_NT.shape[1]
        lengths = torch.tensor([len(self._prompts[p]) - 1 for p in prompt_N], device=device)
        slot_NT = lengths[:, None] + torch.arange(longest, device=device)
        index_N = torch.tensor(prompt_N, device=device)
        layers = [
            LayerCache(
                _widened(leaf.keys, index_N, longest), _widened(leaf.values, index_N, longest)
            )
            for leaf in self._leaves
        ]
        slots = torch.arange(layers[0].keys.shape[2], device=device)
        # Padding behind a short prompt is overwritten by the completion or lies ahead, unseen.
        seen_NTS = slots <= slot_NT[:, :, None]
        cache = Cache(layers, slot_NT, seen_NTS[:, None])
        hidden_NTC = self._model.hidden(fed_NT, positions_BT=slot_NT, cache=cache)
        logits_MV = self._model.logits(hidden_NTC[mask_NT])
        if temperature != 1:
            logits_MV = logits_MV / temperature
        return _gathered(logits_MV, tokens_NT[mask_NT], mask_NT)

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
    device = model.rotation_SD.device
    width = max(1, *map(len, heads))
    tokens_PL, _ = _padded_ids([*heads, [0] * width], device)
    slot_PL = torch.arange(width, device=device).expand(len(heads), -1)
    causal_LL = torch.ones(width, width, dtype=torch.bool, device=device).tril()
    config, weight = model.config, model.model.embed_tokens.weight
    shape = (len(heads), config.num_key_value_heads, width, config.head_dim)
    layers = [
        LayerCache(weight.new_zeros(shape), weight.new_zeros(shape))
        for _ in range(config.num_hidden_layers)
    ]
    model.hidden(tokens_PL[:-1], cache=Cache(layers, slot_PL, causal_LL[None, None]))
    return layers


def _widened(made_PKLD: Tensor, index_N: Tensor, longest: int) -> Tensor:
    """Each completion's copy of its prompt's keys or values, with room for its own."""
    return F.pad(made_PKLD.index_select(0, index_N), (0, 0, 0, longest))


def _padded_ids(rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return ids, torch.arange(width, device=device) < lengths[:, None]


def _gathered(logits_MV: Tensor, target_M: Tensor, mask_NT: Tensor) -> TokenLogprobs:
    # At least fp32, whatever the weights are in.
    wide = torch.promote_types(logits_MV.dtype, torch.float32)
    log_all_MV = torch.log_softmax(logits_MV, dim=-1, dtype=wide)
    chosen_M = log_all_MV.gather(1, target_M[:, None])[:, 0]
    zeros_NT = torch.zeros(mask_NT.shape, dtype=wide, device=mask_NT.device)
    with torch.no_grad():
        entropy_M = -(log_all_MV.exp() * log_all_MV).sum(dim=-1)
    return TokenLogprobs(
        zeros_NT.masked_scatter(mask_NT, chosen_M),
        zeros_NT.masked_scatter(mask_NT, entropy_M),
        mask_NT,
    )
