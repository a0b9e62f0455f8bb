"""Keys and values while sampling: a prompt's stand once for its whole group of samples.

Every row also has slots of its own for the tokens it draws. All rows write to the same slot, that
of the step, so a write is one copy; a row that joined late does not see the slots before it. The
slots are a ring: a row lives for at most as many steps as there are slots.
"""

# G groups, J rows of the fullest group, R rows, K key-value heads, E query heads of each, L tokens
# of the longest prompt, S own slots in use, D width of a head

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seekmath.model.attention import attend
from seekmath.model.decoder import LayerCache
from seekmath.model.replay import Replay

# Own slots are added in lots: most samples end long before their limit.
_FIRST_SLOTS = 64


class Recorder:
    """A cache for whole prompts, side by side from position 0: what it saw stays in ``layers``."""

    def __init__(self) -> None:
        self.layers: list[LayerCache] = []

    def mix(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Keep the keys and values; causal attention, so padding behind a prompt is not seen."""
        self.layers.append(LayerCache(key.contiguous(), value.contiguous()))
        return attend(query, key, value, None)


@dataclass
class GroupCache:
    """Keys and values of all layers; a decoder's ``cache``.

    Attributes:
        prompts: each layer's (G, K, L, D).
        own: each layer's (R, K, slots, D).
        prompt_length_G: tokens of each prompt; the rest of its L slots is padding.
        group_R: each row's group.
        started_R: the step at which each row began.
        limit: steps a row may take, and so the length of the ring.
        step: the step under way, from 0.
        fixed: whether tensors keep address and shape from step to step as long as they can, which
            costs products with slots not yet in use; for ``replay``.
        replay: the recorded step; it holds until tensors move.
    """

    prompts: list[LayerCache]
    own: list[LayerCache]
    prompt_length_G: Tensor
    group_R: Tensor
    started_R: Tensor
    limit: int
    step: int = 0
    fixed: bool = False
    replay: Replay | None = None

    def __post_init__(self) -> None:
        self._own_bias: Tensor | None = None

    @classmethod
    def begin(
        cls,
        prompts: list[LayerCache],
        prompt_lengths: Tensor,
        samples: int,
        limit: int,
        fixed: bool = False,
    ) -> "GroupCache":
        """``samples`` rows of each prompt, about to take their first step."""
        keys = prompts[0].keys
        rows = keys.shape[0] * samples
        none = keys.new_zeros(rows, keys.shape[1], 0, keys.shape[3])
        groups = torch.arange(keys.shape[0], device=keys.device).repeat_interleave(samples)
        own = [LayerCache(none, none) for _ in prompts]
        started = torch.zeros_like(groups)
        return cls(prompts, own, prompt_lengths, groups, started, limit, fixed=fixed)

    def begin_step(self) -> bool:
        """Make room for the tokens of this step and note what each row may look at.

        Returns:
            Whether tensors have another address or shape than in the last step.
        """
        moved = self.make_room()
        if self._own_bias is None:
            self._arrange()
        keys = self.own[0].keys
        slot = self.step % self.limit
        self._seen = keys.shape[2] if self.fixed else min(self.step + 1, self.limit)
        # Slots not yet in use are the oldest of the ring, and so hidden.
        age_S = (slot - torch.arange(self._seen, device=keys.device)) % self.limit
        hidden_RS = age_S > self.step - self.started_R[:, None]
        ahead_RS = torch.zeros_like(hidden_RS, dtype=keys.dtype).masked_fill_(hidden_RS, -torch.inf)
        bias = ahead_RS.repeat_interleave(keys.shape[1], dim=0)[:, None]
        if moved or self._own_bias is None or not self.fixed:
            moved, self._own_bias = True, bias
            self._slot = torch.tensor([slot], device=keys.device)
            self.replay = None
        else:
            self._own_bias.copy_(bias)
            self._slot.fill_(slot)
        return moved

    def make_room(self) -> bool:
        """Have a slot for the tokens of this step; whether own slots were added."""
        slots = self.own[0].keys.shape[2]
        if min(self.step + 1, self.limit) <= slots:
            return False
        more = min(self.limit, max(2 * slots, _FIRST_SLOTS)) - slots
        self.own = [
            LayerCache(F.pad(c.keys, (0, 0, 0, more)), F.pad(c.values, (0, 0, 0, more)))
            for c in self.own
        ]
        return True

    def end_step(self) -> None:
        """All layers have written: the next token takes the next slot."""
        self.step += 1

    def mix(self, layer: int, query_RHTD: Tensor, key_RKTD: Tensor, value_RKTD: Tensor) -> Tensor:
        """Store one token's keys and values, then attend to the prompt's and the row's own."""
        rows, heads, _, width = query_RHTD.shape
        own, prompts = self.own[layer], self.prompts[layer]
        pairs = own.keys.shape[1]
        own.keys.index_copy_(2, self._slot, key_RKTD)
        own.values.index_copy_(2, self._slot, value_RKTD)
        assert self._own_bias is not None  # begin_step comes first
        query_RKED = (query_RHTD * (1 / math.sqrt(width))).reshape(rows, pairs, -1, width)
        prompt_score_RHL = self._by_row(
            torch.baddbmm(
                self._prompt_bias,
                self._by_group(query_RKED),
                prompts.keys.flatten(0, 1).transpose(1, 2),
            )
        )
        own_score = torch.baddbmm(
            self._own_bias,
            query_RKED.flatten(0, 1),
            own.keys[:, :, : self._seen].flatten(0, 1).transpose(1, 2),
        ).view(rows, heads, -1)
        weights = torch.softmax(torch.cat([prompt_score_RHL, own_score], dim=-1), dim=-1)
        longest = prompts.keys.shape[2]
        prompt_weights = weights[:, :, :longest].reshape(rows, pairs, -1, longest)
        own_weights = weights[:, :, longest:].reshape(rows * pairs, -1, self._seen)
        mixed = self._by_row(
            torch.bmm(self._by_group(prompt_weights), prompts.values.flatten(0, 1))
        ).view(rows, heads, 1, width)
        own_values = own.values[:, :, : self._seen].flatten(0, 1)
        return mixed + torch.bmm(own_weights, own_values).view(rows, heads, 1, width)

    def keep(self, kept: Tensor) -> "GroupCache":
        """Only the rows ``kept``, and the prompts they need."""
        groups, group_R = self.group_R[kept].unique(return_inverse=True)
        lengths = self.prompt_length_G[groups]
        longest = max(1, int(lengths.max()))
        return GroupCache(
            [
                LayerCache(c.keys[groups, :, :longest], c.values[groups, :, :longest])
                for c in self.prompts
            ],
            [LayerCache(c.keys[kept], c.values[kept]) for c in self.own],
            lengths,
            group_R,
            self.started_R[kept],
            self.limit,
            self.step,
            self.fixed,
        )

    def join(self, fresh: "GroupCache") -> "GroupCache":
        """These rows and, behind them, rows that begin now."""
        longest = max(self.prompts[0].keys.shape[2], fresh.prompts[0].keys.shape[2])
        rows = len(fresh.group_R)
        return GroupCache(
            [
                LayerCache(
                    torch.cat([_widened(a.keys, longest), _widened(b.keys, longest)]),
                    torch.cat([_widened(a.values, longest), _widened(b.values, longest)]),
                )
                for a, b in zip(self.prompts, fresh.prompts, strict=True)
            ],
            [LayerCache(_lengthened(c.keys, rows), _lengthened(c.values, rows)) for c in self.own],
            torch.cat([self.prompt_length_G, fresh.prompt_length_G]),
            torch.cat([self.group_R, fresh.group_R + len(self.prompt_length_G)]),
            torch.cat([self.started_R, fresh.started_R + self.step]),
            self.limit,
            self.step,
            self.fixed,
        )

    def _arrange(self) -> None:
        """Where each row stands when rows are laid out group by group."""
        keys = self.prompts[0].keys
        groups, pairs, longest, _ = keys.shape
        count_G = torch.bincount(self.group_R, minlength=groups)
        fullest = int(count_G.max())
        order_R = self.group_R.argsort(stable=True)
        first_G = count_G.cumsum(0) - count_G
        sorted_R = self.group_R[order_R]
        place_R = sorted_R * fullest + torch.arange(len(order_R), device=keys.device)
        place_R -= first_G[sorted_R]
        self._row_of_place = torch.zeros(groups * fullest, dtype=torch.long, device=keys.device)
        self._row_of_place[place_R] = order_R
        self._place_of_row = torch.empty_like(order_R)
        self._place_of_row[order_R] = place_R
        self._fullest = fullest
        padding_GL = torch.arange(longest, device=keys.device) >= self.prompt_length_G[:, None]
        bias_GL = torch.zeros_like(padding_GL, dtype=keys.dtype)
        bias_GL.masked_fill_(padding_GL, -torch.inf)
        self._prompt_bias = bias_GL.repeat_interleave(pairs, dim=0)[:, None]

    def _by_group(self, x_RKEX: Tensor) -> Tensor:
        """(R, K, E, X) rows as (G x K, J x E, X); places without a row hold any row."""
        _, pairs, each, last = x_RKEX.shape
        laid_out = x_RKEX.flatten(1).index_select(0, self._row_of_place)
        laid_out = laid_out.view(-1, self._fullest, pairs, each * last).transpose(1, 2)
        return laid_out.reshape(-1, self._fullest * each, last)

    def _by_row(self, x: Tensor) -> Tensor:
        """The way back, to (R, K x E, X)."""
        last, pairs = x.shape[-1], self.prompts[0].keys.shape[1]
        laid_out = x.view(-1, pairs, self._fullest, x.shape[1] // self._fullest * last)
        laid_out = laid_out.transpose(1, 2).reshape(len(self._row_of_place), -1)
        return laid_out.index_select(0, self._place_of_row).view(len(self.group_R), -1, last)


def _widened(prompts_GKLD: Tensor, longest: int) -> Tensor:
    return F.pad(prompts_GKLD, (0, 0, 0, longest - prompts_GKLD.shape[2]))


def _lengthened(own_RKSD: Tensor, rows: int) -> Tensor:
    return torch.cat([own_RKSD, own_RKSD.new_zeros(rows, *own_RKSD.shape[1:])])
