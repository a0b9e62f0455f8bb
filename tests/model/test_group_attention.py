"""Packed completions attend as each would, side by side with its prompt."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.model.attention import attend
from seekmath.model.decoder import LayerCache
from seekmath.model.group_attention import GroupAttention, pack

HEADS, PAIRS, WIDTH = 4, 2, 6


def alone(q, k, v, pk, pv):
    """One completion behind its prompt, by the plain form: (heads, tokens, width)."""
    keys, values = (torch.cat([a, b], dim=1) for a, b in ((pk, k), (pv, v)))
    slots, tokens = keys.shape[1], q.shape[1]
    seen = torch.ones(slots, slots, dtype=torch.bool).tril()[-tokens:]
    return attend(q[None], keys[None], values[None], seen)[0]


@settings(deadline=None, max_examples=30)
@given(
    prompts=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    lengths=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_values_and_gradients_are_those_of_each_alone(prompts, lengths, seed):
    torch.manual_seed(seed)
    rows = sorted((owner % len(prompts), length) for owner, length in lengths)
    total, longest = sum(length for _, length in rows), max(1, *prompts)
    q = torch.randn(1, HEADS, total, WIDTH, dtype=torch.double, requires_grad=True)
    k, v = (
        torch.randn(1, PAIRS, total, WIDTH, dtype=torch.double, requires_grad=True) for _ in "kv"
    )
    pk, pv = (
        torch.randn(len(prompts), PAIRS, longest, WIDTH, dtype=torch.double, requires_grad=True)
        for _ in "kv"
    )
    packing = pack([p for p, _ in rows], [n for _, n in rows], prompts, HEADS, "cpu")
    found = GroupAttention(packing, [LayerCache(pk, pv)]).mix(0, q, k, v)
    parts, start = [], 0
    for owner, length in rows:
        mine = slice(start, start + length)
        before = slice(prompts[owner])
        parts.append(
            alone(*(x[0, :, mine] for x in (q, k, v)), *(x[owner, :, before] for x in (pk, pv)))
        )
        start += length
    wanted = torch.cat(parts, dim=1)[None]
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)
    pull, leaves = torch.randn_like(wanted), (q, k, v, pk, pv)
    exact = torch.autograd.grad(wanted, leaves, pull, allow_unused=True)
    for one, other in zip(torch.autograd.grad(found, leaves, pull), exact, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other)
