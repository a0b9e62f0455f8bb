"""One prompt for a whole group gives what prompt and completion side by side give."""

import copy

import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.logprobs import completion_logprobs
from seekmath.model.sizes import sized
from seekmath.rl import shared_prompts
from seekmath.rl.shared_prompts import SharedPrompts

PROMPTS = [[5, 9, 3], [7], [4, 4, 8, 1, 2, 30, 31], [11, 12]]
OWNERS = [0, 0, 1, 2, 2, 3, 0]
COMPLETIONS = [[1, 2, 3], [4], [5, 6, 7, 8, 9], [10, 11], [12, 13, 14, 15], [16, 17], [18]]


@pytest.fixture
def model() -> Decoder:
    torch.manual_seed(0)
    decoder = Decoder(sized("tiny", vocab_size=61, context=32), seed=1).double()
    with torch.no_grad():
        decoder.model.embed_tokens.weight.mul_(10)
    return decoder


def gradients(model: Decoder) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in model.named_parameters()}


def test_values_and_gradients_are_those_of_the_plain_form(model):
    plain = copy.deepcopy(model)
    weights = torch.randn(len(OWNERS), 5)
    logprobs, mask, entropy = completion_logprobs(
        plain, [PROMPTS[p] for p in OWNERS], COMPLETIONS, temperature=0.7, with_entropy=True
    )
    (logprobs * weights).sum().backward()

    shared = SharedPrompts(model, PROMPTS)
    # Two micro-batches read the same prompts.
    for rows in ([0, 2, 4, 6], [1, 3, 5]):
        found = shared.logprobs(
            [OWNERS[r] for r in rows], [COMPLETIONS[r] for r in rows], temperature=0.7
        )
        width = found.mask_NT.shape[1]
        assert torch.equal(found.mask_NT, mask[rows, :width])
        torch.testing.assert_close(
            found.logprob_NT,
            logprobs[rows, :width].detach(),
            check_dtype=False,
            atol=1e-6,
            rtol=1e-5,
        )
        torch.testing.assert_close(
            found.entropy_NT, entropy[rows, :width], check_dtype=False, atol=1e-6, rtol=1e-5
        )
        (found.logprob_NT * weights[rows, :width]).sum().backward()
    shared.backward()
    for name, expected in gradients(plain).items():
        torch.testing.assert_close(gradients(model)[name], expected, atol=1e-7, rtol=1e-6, msg=name)


def test_without_gradient_nothing_is_kept(model):
    with torch.no_grad():
        shared = SharedPrompts(model, PROMPTS)
        found = shared.logprobs(OWNERS, COMPLETIONS)
    assert not found.logprob_NT.requires_grad


def test_logits_made_in_lots_give_the_same_gradient(model, monkeypatch):
    def run(most: int) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(shared_prompts, "_MOST_LOGITS", most)
        one = copy.deepcopy(model)
        shared = SharedPrompts(one, PROMPTS)
        shared.logprobs(OWNERS, COMPLETIONS).logprob_NT.sum().backward()
        shared.backward()
        return gradients(one)

    whole, lots = run(2**20), run(3 * 61)
    for name, expected in whole.items():
        torch.testing.assert_close(lots[name], expected, atol=1e-12, rtol=1e-12)
