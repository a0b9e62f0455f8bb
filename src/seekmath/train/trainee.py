"""A decoder made ready to train on packed rows: on this machine alone or on many ranks.

Precision, recomputation, compilation and parallelism are put around the decoder here, from
outside; its own code knows of none.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from seekmath.core.files import BadInput
from seekmath.corpus.packing import Rows, without_loss
from seekmath.model.decoder import Decoder, fresh_weight, rotation_angles
from seekmath.model.folder import load_config, load_model, load_weight, write_folder
from seekmath.model.linear import compute_in
from seekmath.model.parallel import (
    Ranks,
    cast_layers,
    compile_layers,
    recompute_layers,
    shard,
    split_layers,
    sum_head_norms,
)
from seekmath.model.sizes import ModelConfig
from seekmath.train.language import Learner, tensors_of
from seekmath.train.lora import Adapters
from seekmath.train.parts import place_of, plain
from seekmath.train.settings import LanguageSettings, SftSettings

#: From a step, the first of its rows and how many: those rows.
StepRows = Callable[[int, int, int], Rows]


class Trainee:
    """A decoder that learns packed rows.

    Args:
        start: a configuration, for fresh weights from ``seed``, or a model folder.
        settings: batches, precision, ranks.
        ranks: who trains along.
        device: where.
        seed: of fresh weights.
    """

    def __init__(
        self,
        start: ModelConfig | Path,
        settings: LanguageSettings,
        ranks: Ranks,
        device: torch.device,
        seed: int,
    ) -> None:
        self._settings, self._ranks, self._device = settings, ranks, device
        if settings.rows_per_step % ranks.readers:
            raise BadInput(
                f"rows_per_step: found {settings.rows_per_step};"
                f" the {ranks.readers} ranks that read must divide it"
            )
        sharded = ranks.world > 1 and settings.parallel == "fsdp"
        self.model = _empty(start) if sharded else _whole(start, seed).to(device)
        self._adapters: Adapters | None = None
        if isinstance(settings, SftSettings) and settings.lora_rank:
            self._adapters = Adapters(self.model, settings.lora_rank, settings.lora_alpha, seed)
        self._called: nn.Module = Learner(self.model, settings.z_loss)
        if sharded:
            split_layers(self.model, ranks)
        self._wrap(sharded)
        if sharded:
            self.model.to_empty(device=device)
            _fill(self.model, start, seed, ranks)
        elif ranks.world > 1:
            wrapped = DistributedDataParallel(self._called)
            wrapped.register_comm_hook(None, _add_up)
            self._called = wrapped

    def _wrap(self, sharded: bool) -> None:
        settings = self._settings
        half = torch.bfloat16 if settings.precision == "bf16" else None
        if half and not sharded:
            # On a CPU only products gain by it; what stands between them is as quick in fp32.
            on_cpu = self._device.type == "cpu" and not settings.compile_layers
            (compute_in if on_cpu else cast_layers)(self.model, half)
        if settings.checkpoint_activations:
            recompute_layers(self.model)
        if settings.compile_layers:
            compile_layers(self.model)
        if sharded:
            shard(self._called, self.model, self._ranks, half)

    def losses(self, step: int, rows_of: StepRows) -> Iterator[tuple[Tensor, int, int]]:
        """This rank's micro-batches of a step, as the loop wants them."""
        share = self._settings.rows_per_step // self._ranks.readers
        most = self._settings.micro_batch_rows or share
        for start in range(0, share, most):
            count = min(most, share - start)
            self._exchange_after(start + count == share)
            rows = rows_of(step, self._ranks.reader * share + start, count)
            yield self.loss(rows)
        # The last backward pass is over when the loop asks for more.
        sum_head_norms(self.model, self._ranks)

    def loss(self, rows: Rows) -> tuple[Tensor, int, int]:
        """Summed loss of rows, how many tokens it is over, tokens read."""
        loss = self._called(*tensors_of(rows, self._device))
        return loss, int(rows.loss_BT.sum()), rows.tokens_BT.size

    def mean_loss(self, total: int, rows_of: Callable[[range], Rows]) -> float:
        """Loss per token of ``total`` rows, shared out over the ranks."""
        readers, reader = self._ranks.readers, self._ranks.reader
        most = self._settings.micro_batch_rows or self._settings.rows_per_step // readers
        sums = [0.0, 0.0]
        for first in range(0, total, most * readers):
            start = first + reader * most
            rows = rows_of(range(start, min(start + most, total)) or range(1))
            if start >= total:  # every rank must compute as often as the others
                rows = without_loss(rows)
            loss, count, _ = self.loss(rows)
            sums = [sums[0] + float(loss), sums[1] + count]
        if isinstance(self._called, FSDPModule):
            # Without a backward pass embedding and head would stay whole.
            self._called.reshard()
        loss_sum, learned = self._ranks.sums(sums)
        return loss_sum / max(1.0, learned)

    def save(self, folder: Path, tokenizer_folder: Path) -> None:
        """Write a model folder; every rank must ask.

        Adapters are written beside it, as ``adapter``, and then merged.
        """
        if self._adapters:
            if self._ranks.is_first:
                self._adapters.save(self.model, folder.with_name("adapter"))
            self._adapters.merge()
        weights: dict[str, Tensor] = {}
        for name, parameter in self.model.named_parameters():
            value = parameter.detach()
            whole = value.full_tensor() if isinstance(value, DTensor) else value
            if self._ranks.is_first:
                weights[name] = whole.cpu()
        if self._ranks.is_first:
            write_folder(self.model.config, weights, folder, tokenizer_folder)
        self._ranks.wait()

    def _exchange_after(self, last: bool) -> None:
        """Gradients are summed over the ranks after the last micro-batch only."""
        if isinstance(self._called, DistributedDataParallel):
            self._called.require_backward_grad_sync = last
        elif isinstance(self._called, FSDPModule):
            self._called.set_requires_gradient_sync(last)


def check_context(config: ModelConfig, settings: LanguageSettings) -> None:
    """Refuse rows that are longer than what a model allows."""
    if settings.context > config.max_position_embeddings:
        raise BadInput(
            f"context: found {settings.context}; {getattr(settings, 'model', 'the model')} allows"
            f" at most {config.max_position_embeddings}"
        )


def _add_up(state: Any, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    """Sum gradients over the ranks; DistributedDataParallel would average them."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    assert work is not None
    return work.get_future().then(lambda done: done.value()[0])


def _whole(start: ModelConfig | Path, seed: int) -> Decoder:
    return Decoder(start, seed) if isinstance(start, ModelConfig) else load_model(start)


def _empty(start: ModelConfig | Path) -> Decoder:
    with torch.device("meta"):
        return Decoder(start if isinstance(start, ModelConfig) else load_config(start))


def _fill(model: Decoder, start: ModelConfig | Path, seed: int, ranks: Ranks) -> None:
    """Give each rank its parts of the weights; one whole tensor at a time is in memory."""
    config = model.config
    angles = rotation_angles(config.max_position_embeddings, config.head_dim, config.rope_theta)
    model.rotation_SD.copy_(angles)
    for name, parameter in model.named_parameters():
        whole = (
            load_weight(start, name)
            if isinstance(start, Path)
            else fresh_weight(name, parameter.shape, config.num_hidden_layers, seed)
        )
        local, offset = plain(parameter.detach()), place_of(parameter.detach(), ranks).offset
        sizes = zip(offset, local.shape, strict=True)
        local.copy_(whole[tuple(slice(start, start + size) for start, size in sizes)])
