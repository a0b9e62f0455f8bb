"""Training tokens per CPU second on packed rows: ours, the Hugging Face Trainer, a plain loop.

The same Llama (width 128, 256, or 100M parameters), the same rows of packed documents, AdamW, one
thread. Each is a process of its own, as its user would run it (how ours has memory kept, it alone
has); they take turns, and what a first run compiles or loads is not timed. The Trainer keeps attention inside documents by position ids,
as we do; the plain loop is written in the manner of nanochat's: a small module, causal attention
over the whole row, cross-entropy on whole logits, fused AdamW, nothing else.

    python benchmarks/training_speed.py --rounds 3
    python benchmarks/training_speed.py --size 100m --rows 2 --context 512 --steps 2 --rounds 2
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from timing import save
from torch import nn

from seekmath.core.job import Job
from seekmath.corpus.packing import Rows, stack, stream_row
from seekmath.corpus.shards import Shard
from seekmath.model.decoder import rotation_angles
from seekmath.model.parallel import ALONE
from seekmath.model.sizes import ModelConfig, sized
from seekmath.train.loop import Hooks, Pace, train
from seekmath.train.settings import LanguageSettings
from seekmath.train.trainee import Trainee

MARK = "seconds of a run: "
SIZES = {"128": ("tiny", 1536), "256": ("small", 1536), "100m": ("125m", 32_000)}


def shard_of(vocab: int, tokens: int, document: int) -> Shard:
    """Documents of ``document`` tokens, give or take a half."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(document // 2, document * 3 // 2, tokens // document + 1)
    ends = np.cumsum(lengths)
    return Shard(draw.integers(0, vocab, int(ends[-1])).astype(np.uint16), ends, int(ends[-1]))


class Clock:
    """CPU seconds from the first step's end to the last's."""

    def __init__(self) -> None:
        self.began = 0.0
        self.seconds = 0.0

    def begin(self) -> None:
        self.began = time.process_time()

    def end(self) -> None:
        self.seconds = time.process_time() - self.began


def ours(config: ModelConfig, batches: list[Rows], precision: str) -> float:
    rows, context = batches[0].tokens_BT.shape
    settings = LanguageSettings(
        peak_lr=1e-3, context=context, rows_per_step=rows, precision=precision, threads=1
    )
    trainee = Trainee(config, settings, ALONE, torch.device("cpu"), 0)
    clock = Clock()

    def rows_of(step: int, first: int, count: int) -> Rows:
        return batches[step]

    with tempfile.TemporaryDirectory() as folder, Job.open(folder) as job:
        # The last step saves a checkpoint; the clock stops before it.
        steps = len(batches)
        hooks = Hooks(before={1: clock.begin, steps - 1: clock.end})
        pace = Pace(steps, log_every=10**6)
        train(trainee.model, lambda s: trainee.losses(s, rows_of), settings, pace, job, hooks)
    return clock.seconds


def hf_config(config: ModelConfig) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        max_position_embeddings=config.max_position_embeddings,
        tie_word_embeddings=config.tie_word_embeddings,
    )


class Stopwatch(transformers.TrainerCallback):
    def __init__(self, clock: Clock, last: int) -> None:
        self.clock, self.last = clock, last

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 1:
            self.clock.begin()
        if state.global_step == self.last:
            self.clock.end()


def hf_trainer(config: ModelConfig, batches: list[Rows], precision: str) -> float:
    examples = []
    for batch in batches:
        whole = np.concatenate([batch.tokens_BT, batch.targets_BT[:, -1:]], axis=1)
        for row in range(len(batch.tokens_BT)):
            labels = np.where(batch.loss_BT[row], batch.targets_BT[row], -100)
            examples.append(
                {
                    "input_ids": whole[row, :-1],
                    "position_ids": batch.positions_BT[row],
                    # The model shifts labels by one itself.
                    "labels": np.concatenate([[-100], labels[:-1]]),
                }
            )
    clock = Clock()
    model = transformers.LlamaForCausalLM(hf_config(config))
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            bf16=precision == "bf16",
            per_device_train_batch_size=len(batches[0].tokens_BT),
            max_steps=len(batches),
            learning_rate=1e-3,
            max_grad_norm=1.0,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            optim="adamw_torch_fused",
            remove_unused_columns=False,
        )
        trainer = transformers.Trainer(
            model=model,
            args=arguments,
            train_dataset=examples,
            data_collator=lambda found: {
                key: torch.from_numpy(np.stack([example[key] for example in found]))
                for key in found[0]
            },
            callbacks=[Stopwatch(clock, len(batches) - 1)],
        )
        trainer.train()
    return clock.seconds


class Plain(nn.Module):
    """The decoder in the manner of nanochat: as short as it can be."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.heads = config.num_attention_heads
        self.embed = nn.Embedding(config.vocab_size, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "qkv": nn.Linear(width, 3 * width, bias=False),
                    "out": nn.Linear(width, width, bias=False),
                    "up": nn.Linear(width, 2 * inner, bias=False),
                    "down": nn.Linear(inner, width, bias=False),
                }
            )
            for _ in range(config.num_hidden_layers)
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.02)
        angles = rotation_angles(config.max_position_embeddings, config.head_dim, 1e4)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        rows, length = tokens.shape
        x = self.embed(tokens)
        for layer in self.layers:
            normed = F.rms_norm(x, (x.shape[-1],))
            q, k, v = (
                part.view(rows, length, self.heads, -1).transpose(1, 2)
                for part in layer["qkv"](normed).chunk(3, dim=-1)
            )
            cosine, sine = self.cosine[:length].to(q.dtype), self.sine[:length].to(q.dtype)
            q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + layer["out"](mixed.transpose(1, 2).reshape(rows, length, -1))
            gate, up = layer["up"](F.rms_norm(x, (x.shape[-1],))).chunk(2, dim=-1)
            x = x + layer["down"](F.silu(gate) * up)
        logits = F.linear(F.rms_norm(x, (x.shape[-1],)), self.embed.weight)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    swapped = torch.cat(x.chunk(2, dim=-1)[::-1], dim=-1)
    return torch.addcmul(x * cosine, swapped, sine)


def plain_loop(config: ModelConfig, batches: list[Rows], precision: str) -> float:
    model = Plain(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True)
    began = 0.0
    for step, batch in enumerate(batches[:-1]):
        if step == 1:
            began = time.process_time()
        tokens, targets = torch.from_numpy(batch.tokens_BT), torch.from_numpy(batch.targets_BT)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(tokens, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
    return time.process_time() - began


WORKS = {"seekmath": ours, "trainer": hf_trainer, "plain loop": plain_loop}


def work_of(asked: argparse.Namespace, size: str) -> tuple[ModelConfig, list[Rows]]:
    """The model and the rows of each step: one before the clock starts, one after it stops."""
    name, vocab = SIZES[size]
    config = replace(sized(name, vocab, asked.context), rope_theta=1e4)
    steps = asked.steps + 2
    shard = shard_of(vocab, (steps * asked.rows + 1) * asked.context, asked.document)
    batches = [
        stack([stream_row(shard, step * asked.rows + n, asked.context) for n in range(asked.rows)])
        for step in range(steps)
    ]
    return config, batches


def run_one(asked: argparse.Namespace) -> None:
    """One hand: for each line "size precision" that comes in, the seconds of a run."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        size, precision = line.split()
        seconds = WORKS[asked.one](*work_of(asked, size), precision)
        print(f"{MARK}{seconds}", flush=True)


class Hand:
    """A process that trains when it is told to."""

    def __init__(self, work: str) -> None:
        command = [sys.executable, *sys.argv, "--one", work]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, size: str, precision: str) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{size} {precision}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(MARK):
                return float(line.removeprefix(MARK))
        raise SystemExit("a hand ended before its time")

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def compare(asked: argparse.Namespace, size: str, precision: str) -> dict[str, Any]:
    """One row of the result."""
    hands = {work: Hand(work) for work in WORKS}
    for hand in hands.values():
        hand.run(size, precision)
    seconds: dict[str, list[float]] = {work: [] for work in WORKS}
    for _ in range(asked.rounds):
        for work, hand in hands.items():
            seconds[work].append(hand.run(size, precision))
    for hand in hands.values():
        hand.end()
    timed = asked.steps * asked.rows * asked.context
    speed = {w: round(timed / statistics.median(s)) for w, s in seconds.items()}
    return {
        "tokens_per_cpu_s": speed,
        "seconds": {w: [round(x, 3) for x in s] for w, s in seconds.items()},
        "times_trainer": round(speed["seekmath"] / speed["trainer"], 2),
        "times_plain_loop": round(speed["seekmath"] / speed["plain loop"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", nargs="*", choices=list(SIZES), default=["128", "256"])
    parser.add_argument(
        "--precision", nargs="*", choices=["fp32", "bf16"], default=["fp32", "bf16"]
    )
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--document", type=int, default=66)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=list(WORKS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        run_one(asked)
        return
    found = {}
    for size in asked.size:
        for precision in asked.precision:
            found[f"{size} {precision}"] = compare(asked, size, precision)
            print(size, precision, found[f"{size} {precision}"], flush=True)
    name = "training-speed" + ("-100m" if asked.size == ["100m"] else "")
    shape = {"rows": asked.rows, "context": asked.context, "document_tokens": asked.document}
    save(name, {"work": shape, "found": found}, ("transformers", "accelerate"))


if __name__ == "__main__":
    main()
