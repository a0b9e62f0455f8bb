"""Log-probabilities of completions under a model, differentiable."""

# N completions, T longest completion, L longest row (prompt and completion), M completion tokens

import torch
from torch import Tensor

from seekmath.model.decoder import Decoder


def completion_logprobs(
    model: Decoder,
    prompts: list[list[int]],
    completions: list[list[int]],
    *,
    temperature: float = 1.0,
    with_entropy: bool = False,
) -> tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]:
    """Log-probability of every completion token given what stands before it.

    Logits are made for completion tokens only, never for prompts or padding.

    Args:
        model: the policy or the reference.
        prompts: token ids of N prompts.
        completions: token ids of N completions; an empty one has a row of zeros.
        temperature: divides the logits, as in sampling.
        with_entropy: also give the entropy of each next-token distribution, without gradient.

    Returns:
        Log-probabilities (N, T) in nats, zero where the mask is false; the mask (N, T); and the
        entropies (N, T) if asked for.
    """
    device = model.rotation_SD.device
    tokens_NL, mask_NL = _rows(prompts, completions)
    hidden_NLC = model.hidden(tokens_NL.to(device))
    # The state at a token predicts the next one.
    before_NL = torch.zeros_like(mask_NL)
    before_NL[:, :-1] = mask_NL[:, 1:]
    hidden_MC = hidden_NLC[before_NL.to(device)]
    logits_MV = model.logits(hidden_MC).float() / temperature
    target_M1 = tokens_NL[mask_NL].to(device)[:, None]
    log_total_M = logits_MV.logsumexp(dim=-1)
    logprob_M = logits_MV.gather(1, target_M1)[:, 0] - log_total_M
    longest = max(map(len, completions), default=0)
    lengths = torch.tensor([len(c) for c in completions])
    mask_NT = (torch.arange(longest) < lengths[:, None]).to(device)
    logprob_NT = torch.zeros(mask_NT.shape, device=device).masked_scatter(mask_NT, logprob_M)
    if not with_entropy:
        return logprob_NT, mask_NT
    with torch.no_grad():
        probability_MV = (logits_MV - log_total_M[:, None]).exp()
        entropy_M = log_total_M - (probability_MV * logits_MV).sum(dim=-1)
        entropy_NT = torch.zeros(mask_NT.shape, device=device).masked_scatter(mask_NT, entropy_M)
    return logprob_NT, mask_NT, entropy_NT


def _rows(prompts: list[list[int]], completions: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Prompt and completion side by side, padded on the right, and where the completions stand."""
    width = max(len(p) + len(c) for p, c in zip(prompts, completions, strict=True))
    tokens_NL = torch.zeros(len(prompts), width, dtype=torch.long)
    mask_NL = torch.zeros(len(prompts), width, dtype=torch.bool)
    for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        end = len(prompt) + len(completion)
        tokens_NL[row, :end] = torch.tensor(prompt + completion)
        mask_NL[row, len(prompt) : end] = True
    return tokens_NL, mask_NL
