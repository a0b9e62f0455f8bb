"""One token of every row by kernels: a full forward's logits, and bits that are a row's own."""

import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.folder import load_model
from seekmath.model.group_cache import GroupCache, Recorder
from seekmath.model.low_rank import add_low_rank
from seekmath.model.token_step import TokenStep
from tests.model.families import make_folder

PROMPTS = [[5, 9, 3], [7], [4, 4, 8, 1, 2, 30, 31], [11, 12]]
SAMPLES, RING = 3, 6


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["llama", "qwen2", "qwen3"])
def model(request, tmp_path) -> Decoder:
    make_folder(request.param, tmp_path)
    return load_model(tmp_path)


def begun(model: Decoder) -> GroupCache:
    recorder = Recorder()
    width = max(map(len, PROMPTS))
    model.hidden(torch.tensor([p + [0] * (width - len(p)) for p in PROMPTS]), cache=recorder)
    lengths = torch.tensor([len(p) for p in PROMPTS])
    return GroupCache.begin(recorder.layers, lengths, SAMPLES, RING)


@torch.inference_mode()
def steps(model: Decoder, kept: list[int], tokens_RT: torch.Tensor) -> list[torch.Tensor]:
    """Logits of each step, for some rows of all."""
    step, cache = TokenStep(model), begun(model).keep(torch.tensor(kept))
    lengths = torch.tensor([len(PROMPTS[row // SAMPLES]) for row in kept])
    found = []
    for t in range(tokens_RT.shape[1]):
        found.append(step(tokens_RT[kept, t], lengths + t, cache))
        cache.end_step()
    return found


@pytest.mark.parametrize("low_rank", [False, True])
def test_logits_are_those_of_a_full_forward(model, low_rank):
    if low_rank:
        add_low_rank(model, 2, 4.0, seed=1)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_b" in name:
                    parameter.normal_(0, 0.1)
    assert TokenStep.serves(model)
    rows = list(range(SAMPLES * len(PROMPTS)))
    tokens_RT = torch.randint(0, 50, (len(rows), RING), generator=torch.Generator().manual_seed(0))
    found = steps(model, rows, tokens_RT)
    for row in rows:
        prompt = PROMPTS[row // SAMPLES]
        with torch.no_grad():
            whole = model(torch.tensor([prompt + tokens_RT[row].tolist()]))[0, len(prompt) :]
        torch.testing.assert_close(
            torch.stack([logits[row] for logits in found]), whole, atol=1e-5, rtol=1e-5
        )


def test_a_row_has_the_same_bits_in_any_company(model):
    rows = list(range(SAMPLES * len(PROMPTS)))
    tokens_RT = torch.randint(0, 50, (len(rows), RING), generator=torch.Generator().manual_seed(0))
    whole = steps(model, rows, tokens_RT)
    for kept in ([4], [0, 3, 11], rows[2:9]):
        for some, every in zip(steps(model, kept, tokens_RT), whole, strict=True):
            assert torch.equal(some, every[kept])
