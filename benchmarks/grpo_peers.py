"""One GRPO step, the same by seekmath and by TRL: the work, and a hand for each.

16 prompts x 8 samples on a Llama of width 256 with 4 layers (3.3M parameters), beta 0.04, one
update. A vocabulary whose end token the model cannot write forces every completion to its limit
for both alike, without anything to compute for it; for natural ends the end token's embedding is
moved along a direction that every state shares, which gives it the same probability everywhere.
"""

import copy
import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seekmath.core.functions import load_function
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.decoder import Decoder
from seekmath.model.filed import put_in_file
from seekmath.model.folder import load_model, save_model
from seekmath.model.linear import PRECISIONS, compute_in
from seekmath.model.sizes import ModelConfig
from seekmath.rl.method import Setup
from seekmath.rl.questions import Question
from seekmath.rl.rewards import Rewards
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.step import one_step
from seekmath.rl.trainer import METHODS
from seekmath.train.optimizer import make_adamw

QUESTIONS, GROUP, NEW_TOKENS, VOCABULARY = 16, 8, 64, 512
_END_INSIDE, _PAD = 1, 0
# The first component of every embedding: so is that of every state after the last norm.
_SHARED = 0.3
_REWARD = '''
def reward(prompts, completions, **columns):
    """Words that differ: hardly ever the same in a whole group."""
    return [float(len(set(text.split()))) for text in completions]
'''


@dataclass(frozen=True)
class Workload:
    """Prompts and how completions end; ``hazard`` is the end token's probability, 0 for never."""

    prompt_lengths: tuple[int, int]
    hazard: float


WORKLOADS = {
    "A": Workload((12, 28), 0.0),
    "B": Workload((12, 28), 0.0335),
    "C": Workload((192, 192), 0.0),
}


_SHAPE = ModelConfig(
    vocab_size=VOCABULARY,
    hidden_size=256,
    intermediate_size=688,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=8,
    head_dim=32,
    max_position_embeddings=512,
    tie_word_embeddings=True,
    pad_token_id=_PAD,
)


@dataclass
class Stepped:
    """What a hand did: CPU seconds of each step and how many tokens it wrote."""

    seconds: list[float]
    tokens: list[int]


def make_folder(workload: Workload, folder: Path, count: int = 256, **shape: Any) -> None:
    """A model folder with tokenizer, ``prompts.jsonl`` and ``reward.py``; the same every time.

    ``shape`` are fields of the model's configuration other than those of the module's docstring.
    """
    config = dataclasses.replace(_SHAPE, **shape)
    end = _END_INSIDE if workload.hazard else config.vocab_size
    config = dataclasses.replace(config, eos_token_id=end)
    model = Decoder(config, seed=1)
    with torch.no_grad():
        embedding_VC = model.model.embed_tokens.weight
        embedding_VC[:, 0] = _SHARED
        if workload.hazard:
            words_RT = torch.arange(2, 2 + 16 * 31).view(16, 31)
            state = float(model.hidden(words_RT)[..., 0].mean())
            odds = workload.hazard / (1 - workload.hazard) * (VOCABULARY - 1)
            embedding_VC[end] = 0.0
            embedding_VC[end, 0] = _SHARED + math.log(odds) / state
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder / "tokenizer", end, config.vocab_size)
    save_model(model, folder / "model", folder / "tokenizer")
    random = np.random.default_rng(0)
    low, high = workload.prompt_lengths
    lengths = random.integers(low, high + 1, count)
    prompts = [random.integers(2, VOCABULARY, length).tolist() for length in lengths]
    lines = [json.dumps({"ids": ids, "prompt": " ".join(f"w{i}" for i in ids)}) for ids in prompts]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "reward.py").write_text(_REWARD)


def _write_tokenizer(folder: Path, end: int, size: int) -> None:
    import tokenizers

    words = {f"w{i}": i for i in range(size + 1)}
    for name, place in (("<pad>", _PAD), ("<end>", end)):
        del words[f"w{place}"]
        words[name] = place
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<pad>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    folder.mkdir(exist_ok=True)
    inner.save(str(folder / "tokenizer.json"))
    named = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<end>",
        "pad_token": "<pad>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(named))


class Ours:
    """The product's own step, on the folder."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        given: dict[str, Any] = {
            "model": str(folder / "model"),
            "problems": str(folder / "prompts.jsonl"),
            "reward": str(folder / "reward.py"),
            "group_size": GROUP,
            "questions_per_step": QUESTIONS,
            "max_new_tokens": NEW_TOKENS,
            "device": "cpu",
        }
        self.settings = GrpoSettings(**{**given, **changes})
        policy = load_model(folder / "model", self.settings.device)
        tokenizer = Tokenizer.load(folder / "model")
        compute_in(policy, PRECISIONS[self.settings.precision])
        frozen = copy.deepcopy(policy).requires_grad_(False)
        rewards = Rewards(self.settings, tokenizer)
        questions = [
            Question(str(n), row["prompt"], "", row["ids"], row)
            for n, row in enumerate(read_prompts(folder))
        ]
        self.setup = Setup(self.settings, policy, frozen, questions, tokenizer, rewards, 0)
        if self.settings.reference_in == "file":
            self.setup = dataclasses.replace(self.setup, let_go=put_in_file(frozen, folder))
        self.method = METHODS[self.settings.method](self.setup)
        self.optimizer = make_adamw(policy, self.settings)
        self.lines: list[dict[str, Any]] = []

    def step(self) -> None:
        """One step; its log line is kept."""
        line, _ = one_step(self.setup, self.method, self.optimizer, len(self.lines))
        self.lines.append(line)


def read_prompts(folder: Path) -> list[dict[str, Any]]:
    """The prompts, as ids and as words."""
    return [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()]


def step_trl(
    folder: Path,
    steps: int,
    micro: int,
    between: Callable[[], None],
    *,
    bf16: bool = False,
    clock: Callable[[], float] = time.process_time,
    **changes: Any,
) -> Stepped:
    """TRL's steps, all that happens from one ``on_step_end`` to the next; ``between`` is not timed.

    The first step is not counted (compilation, first allocations). ``changes`` are fields of
    GRPOConfig.
    """
    import datasets
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    done = Stepped([], [])
    written: list[int] = []

    judge = load_function(str(folder / "reward.py"), "reward")

    def reward(completion_ids: list[list[int]], **given: Any) -> list[float]:
        written.append(sum(map(len, completion_ids)))
        return list(judge(**given))

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.began = clock()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            done.seconds.append(clock() - self.began)
            between()
            self.began = clock()

    given = {
        "output_dir": str(folder / "trl"),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": QUESTIONS * GROUP // micro,
        "num_generations": GROUP,
        "max_completion_length": NEW_TOKENS,
        "beta": 0.04,
        "loss_type": "grpo",
        "learning_rate": 1e-6,
        "lr_scheduler_type": "constant",
        "max_steps": steps + 1,
        "bf16": bf16,
        "gradient_checkpointing": False,
        "shuffle_dataset": False,
        "model_init_kwargs": {"dtype": "float32"},
        "use_cpu": True,
        "report_to": [],
        "logging_strategy": "no",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    config = GRPOConfig(**{**given, **changes})
    data = datasets.Dataset.from_list([{"prompt": row["prompt"]} for row in read_prompts(folder)])
    trainer = GRPOTrainer(
        str(folder / "model"),
        reward,
        args=config,
        train_dataset=data,
        # By the model's family transformers would take another tokenizer than the folder names.
        processing_class=PreTrainedTokenizerFast.from_pretrained(folder / "model"),
        callbacks=[Clock()],
    )
    trainer.train()
    return Stepped(done.seconds[1:], written[1:])
