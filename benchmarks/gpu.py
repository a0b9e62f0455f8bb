"""One GPU: a pre-training step, decoding, and a GRPO step against TRL's; wall time, synchronised.

    python benchmarks/gpu.py                 (one H100 or H200: about 20 minutes)
    python benchmarks/gpu.py --tiny          (the same code on any machine, in a minute)

Pre-training: the 1.3B size in bf16 autocast over fp32 weights, fused AdamW; MFU counts 6 FLOPs per
weight and token (the embedding is no product) and 6 per layer, position before and channel for
causal attention, by the dense bf16 peak of the device. Decoding: bf16 weights, fixed shapes in a
CUDA graph; the limit is reading all weights and the keys and values of all rows once a token, at
the device's bandwidth. GRPO: a 1.5B model in Qwen2's shape, groups of 16, 1,024 new tokens; TRL
generates by transformers' continuous batching. What a device's limits are stands in ``_LIMITS``.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timing
import torch
from grpo_peers import WORKLOADS, Ours, make_folder, step_trl

from seekmath.model.decoder import Decoder
from seekmath.model.sampler import sample
from seekmath.model.sizes import SIZES, ModelConfig, sized
from seekmath.train.language import summed_cross_entropy
from seekmath.train.optimizer import make_adamw, update
from seekmath.train.settings import PretrainSettings

#: Dense bf16 FLOP/s and memory bytes/s, from the makers' data sheets (SXM forms).
_LIMITS = {"H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12), "A100": (312e12, 2.039e12)}
_QWEN2 = {
    "model_type": "qwen2",
    "vocab_size": 151_936,
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "max_position_embeddings": 4096,
    "rope_theta": 1e6,
}
_TINY_QWEN2 = {"model_type": "qwen2", "num_key_value_heads": 2, "num_hidden_layers": 2}


def pretraining(device: str, tiny: bool, rows: int, context: int, steps: int) -> dict[str, float]:
    """Tokens a second of whole steps, their share of the device's peak, and peak memory."""
    config = sized("tiny" if tiny else "1.3b", 512 if tiny else 102_400, context)
    model = _fresh(config, device)
    optimizer = make_adamw(model, PretrainSettings(tokens="", peak_lr=1e-4))
    generator = torch.Generator().manual_seed(0)
    tokens_BT = torch.randint(config.vocab_size, (rows, context + 1), generator=generator)
    tokens_BT = tokens_BT.to(device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16):
            hidden_BTC = model.hidden(tokens_BT[:, :-1])
            loss = summed_cross_entropy(
                hidden_BTC.flatten(0, 1), model.head, tokens_BT[:, 1:].flatten()
            )
        (loss / (rows * context)).backward()
        update(model, optimizer, 1e-4, 1.0)

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = _median_s(step, steps, device)
    flops = rows * context * flops_per_token(config, context)
    return {
        "tokens_per_s": rows * context / seconds,
        "mfu": _share(flops / seconds, device, 0),
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0,
    }


def flops_per_token(config: ModelConfig, context: int) -> float:
    """Forward and backward: 6 per weight that multiplies, and causal attention's products."""
    weights = _weights(config)
    channels = config.num_attention_heads * config.head_dim
    return 6 * weights + 6 * config.num_hidden_layers * context * channels


def _weights(config: ModelConfig) -> int:
    queries = config.num_attention_heads * config.head_dim
    pairs = config.num_key_value_heads * config.head_dim
    layer = config.hidden_size * (2 * queries + 2 * pairs + 3 * config.intermediate_size)
    return config.num_hidden_layers * layer + config.vocab_size * config.hidden_size


def decoding(device: str, tiny: bool, rows: int, prompt: int, new: int) -> dict[str, float]:
    """Tokens a second of sampling, and the share of what the memory's bandwidth would allow."""
    config = ModelConfig(**_qwen2(tiny), tie_word_embeddings=True)
    model = _fresh(config, device).to(torch.bfloat16)
    prompts = [[(7 * n + t) % 500 for t in range(prompt)] for n in range(max(1, rows // 16))]

    def draw(tokens: int) -> Callable[[], object]:
        return lambda: sample(
            model,
            prompts,
            n=rows // len(prompts),
            max_new_tokens=tokens,
            temperature=1.0,
            stop_ids=set(),
            seed=0,
            max_rows=rows,
        )

    # Prefill and set-up fall out of the difference.
    seconds = _median_s(draw(new), 3, device) - _median_s(draw(new // 2), 3, device)
    steps = new - new // 2
    pairs = 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    # A group's prompt is read once, each row's own tokens once; they grow from new/2 to new.
    read = 2 * _weights(config) + pairs * (len(prompts) * prompt + rows * 0.75 * new)
    return {
        "tokens_per_s": rows * steps / seconds,
        "ms_per_token": 1000 * seconds / steps,
        "bandwidth_share": _share(read * steps / seconds, device, 1),
    }


def grpo(device: str, tiny: bool, steps: int, micro: int, questions: int) -> dict[str, Any]:
    """Seconds of a GRPO step by each hand, alternating."""
    group, new = (4, 8) if tiny else (16, 1024)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_folder(WORKLOADS["A"], folder, 64, **_qwen2(tiny))
        ours = Ours(
            folder,
            group_size=group,
            questions_per_step=questions,
            max_new_tokens=new,
            device=device,
            precision="bf16",
            micro_batch_tokens=256 if tiny else 32_768,
        )
        seconds: list[float] = []

        def our_turn() -> None:
            began = _now(device)
            ours.step()
            seconds.append(_now(device) - began)

        theirs = step_trl(
            folder,
            steps,
            micro,
            our_turn,
            bf16=True,
            clock=lambda: _now(device),
            use_cpu=device == "cpu",
            num_generations=group,
            max_completion_length=new,
            gradient_accumulation_steps=questions * group // micro,
            # It needs a GPU to be of use, and paged attention kernels of its own.
            use_transformers_continuous_batching=device == "cuda",
        )
    our_s, their_s = statistics.median(seconds[1:]), statistics.median(theirs.seconds)
    tokens = [line["completion_tokens"] for line in ours.lines[1:]]
    return {
        "seekmath_s": our_s,
        "trl_s": their_s,
        "times_faster": their_s / our_s,
        "seekmath_tokens": statistics.mean(tokens),
        "trl_tokens": statistics.mean(theirs.tokens),
        "largest_logprob_gap": max(line["logprob_gap"] for line in ours.lines),
        "parts_s": {k: ours.lines[-1][k] for k in ("rollout_s", "reward_s", "update_s")},
    }


def _qwen2(tiny: bool) -> dict[str, Any]:
    if not tiny:
        return _QWEN2
    size = {**vars(SIZES["tiny"]), "vocab_size": 512, **_TINY_QWEN2}
    return {name: size[name] for name in _QWEN2}


def _fresh(config: ModelConfig, device: str) -> Decoder:
    return Decoder(config, seed=0).to(device)


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _median_s(work: Callable[[], object], times: int, device: str) -> float:
    work()
    seconds = []
    for _ in range(times):
        began = _now(device)
        work()
        seconds.append(_now(device) - began)
    return statistics.median(seconds)


def _share(rate: float, device: str, limit: int) -> float:
    """The share of a known device's limit; 0 where it is not known."""
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    limits = [values[limit] for known, values in _LIMITS.items() if known in name]
    return rate / limits[0] if limits else 0.0


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="seconds on any machine; not saved")
    parser.add_argument("--parts", nargs="+", default=["pretraining", "decoding", "grpo"])
    parser.add_argument("--rows", type=int, default=4, help="rows of 4,096 tokens in pre-training")
    parser.add_argument("--micro", type=int, default=8, help="TRL's micro-batch")
    given = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tiny = given.tiny
    works: dict[str, Callable[[], dict[str, Any]]] = {
        "pretraining": lambda: pretraining(
            device, tiny, given.rows, 32 if tiny else 4096, 1 if tiny else 10
        ),
        "decoding": lambda: decoding(
            device, tiny, 32 if tiny else 128, 8 if tiny else 256, 8 if tiny else 1024
        ),
        "grpo": lambda: grpo(
            device, tiny, 1 if tiny else 3, 4 if tiny else given.micro, 2 if tiny else 8
        ),
    }
    found: dict[str, Any] = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    for part in given.parts:
        found[part] = works[part]()
        print(json.dumps({part: found[part]}), flush=True)
    if not tiny:
        timing.save("gpu", found, ("trl", "transformers"))
    return found


if __name__ == "__main__":
    main()
