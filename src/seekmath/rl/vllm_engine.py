"""Rollouts by vLLM: an engine beside the trainer that is given the policy whenever it has changed.

Written against vLLM's ``LLM`` (offline inference), its ``reload_weights`` and ``processed``
log-probabilities; exercised with its build for CPUs, where it starts anew for each step. Weights go
through a folder in memory, which every vLLM reads, whatever its device. vLLM's kernels are not the
trainer's: watch ``logprob_gap``, and see ``importance_cap``.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from seekmath.core.files import BadInput
from seekmath.core.seeds import derive
from seekmath.model.decoder import Decoder
from seekmath.model.folder import save_model
from seekmath.model.low_rank import merged
from seekmath.model.sampler import Completion
from seekmath.rl.settings import GrpoSettings

# vLLM's seeds are of 32 bits with a sign.
_SEEDS = 2**31
_IN_MEMORY = Path("/dev/shm")
_TYPES = {"fp32": "float32", "bf16": "bfloat16"}


class VllmEngine:
    """Draws completions as ``model.sampler.sample`` does, by vLLM, until closed.

    The engine starts with the first draw. vLLM's processes import the program's main module anew:
    guard it by ``if __name__ == "__main__"``. The same seed gives the same tokens as long as vLLM
    computes the same logits, which on a GPU depends on the batch.
    """

    def __init__(self, settings: GrpoSettings) -> None:
        try:
            import vllm  # noqa: F401
        except ImportError:
            raise BadInput(
                "sampler: vllm is not installed; pip install vllm, or use sampler: native"
            ) from None
        self._settings = settings
        place = _IN_MEMORY if _IN_MEMORY.is_dir() else None
        self._scratch = tempfile.TemporaryDirectory(prefix="seekmath-vllm-", dir=place)
        self._folder = Path(self._scratch.name) / "policy"
        self._engine: Any = None
        self._given: list[float] = []

    def close(self) -> None:
        """End the engine and its processes; what it was given goes."""
        self._engine = None
        self._scratch.cleanup()

    def sample(
        self,
        model: Decoder,
        prompts: list[list[int]],
        *,
        n: int,
        max_new_tokens: int,
        temperature: float,
        top_p: float,
        stop_ids: set[int],
        seed: int,
        prompt_keys: list[int] | None = None,
        max_rows: int,
    ) -> list[list[Completion]]:
        """Draw ``n`` completions of each prompt; arguments and result as those of ``sample``."""
        from vllm import SamplingParams

        self._hand_over(model, max_rows)
        context = model.config.max_position_embeddings
        keys = prompt_keys or range(len(prompts))
        asked = [
            SamplingParams(
                temperature=temperature,
                top_p=top_p,
                max_tokens=min(max_new_tokens, context - len(prompt)),
                stop_token_ids=sorted(stop_ids),
                seed=derive(seed, key, k) % _SEEDS,
                logprobs=0,
                detokenize=False,
            )
            for prompt, key in zip(prompts, keys, strict=True)
            for k in range(n)
        ]
        given = [{"prompt_token_ids": prompt} for prompt in prompts for _ in range(n)]
        found = [_completion(one) for one in self._engine.generate(given, asked, use_tqdm=False)]
        return [found[start : start + n] for start in range(0, len(found), n)]

    def _hand_over(self, model: Decoder, max_rows: int) -> None:
        """Give the engine the weights of ``model``, unless it has them."""
        state = _state(model)
        if state == self._given:
            return
        with torch.no_grad():
            save_model(merged(model), self._folder, self._settings.model)
        if model.rotation_SD.device.type == "cpu":
            # For a CPU vLLM packs matrices when it starts, and reloading does not pack them again.
            self._engine = None
        if self._engine is None:
            self._engine = self._started(model, max_rows)
        else:
            self._engine.collective_rpc("reload_weights")
            self._engine.reset_prefix_cache()
        self._given = state

    def _started(self, model: Decoder, max_rows: int) -> Any:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        from vllm import LLM

        return LLM(
            model=str(self._folder),
            skip_tokenizer_init=True,
            dtype=_TYPES[self._settings.precision],
            max_model_len=model.config.max_position_embeddings,
            max_num_seqs=max_rows,
            gpu_memory_utilization=self._settings.vllm_memory,
            enable_prefix_caching=True,
            logprobs_mode="processed_logprobs",
            generation_config="vllm",
        )


@torch.no_grad()
def _state(model: Decoder) -> list[float]:
    """Two numbers of each weight: what is equal in all of them has not been trained in between."""
    weights = list(model.parameters())
    sums = [number(weight) for weight in weights for number in (torch.sum, torch.linalg.norm)]
    return torch.stack(sums).tolist()


def _completion(found: Any) -> Completion:
    """vLLM's answer to one request, which has one output."""
    output = found.outputs[0]
    ids = list(output.token_ids)
    logprobs = [place[token].logprob for token, place in zip(ids, output.logprobs, strict=True)]
    return Completion(ids, logprobs, "stop" if output.finish_reason == "stop" else "length")
