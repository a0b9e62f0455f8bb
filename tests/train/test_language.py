import pytest
import torch
import torch.nn.functional as F

from seekmath.corpus.packing import pack_examples, stack
from seekmath.model.decoder import Decoder
from seekmath.model.sizes import sized
from seekmath.train.language import next_token_loss, summed_cross_entropy


@pytest.mark.parametrize("count", [1, 511, 1200])
def test_cross_entropy_in_chunks_is_that_of_the_whole_logits(count):
    hidden = torch.randn(count, 16, requires_grad=True)
    weight = torch.randn(50, 16, requires_grad=True)
    target = torch.randint(0, 50, (count,))
    whole = F.cross_entropy(hidden @ weight.T, target, reduction="sum")
    found = summed_cross_entropy(hidden, weight, target)
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-4)
    wanted = torch.autograd.grad(whole / 7, (hidden, weight))
    for one, other in zip(torch.autograd.grad(found / 7, (hidden, weight)), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(summed_cross_entropy(hidden, weight, target), found.detach())


def test_any_split_into_batches_gives_the_same_gradient():
    model = Decoder(sized("tiny", vocab_size=40, context=16))
    examples = [(list(range(1, size)), [False] + [True] * (size - 2)) for size in range(4, 15)]
    rows = pack_examples(examples, context=16)

    def gradient(parts):
        model.zero_grad()
        found = [next_token_loss(model, stack(part)) for part in parts]
        total = sum(count for _, count, _ in found)
        (sum(loss for loss, _, _ in found) / total).backward()
        return total, [p.grad.clone() for p in model.parameters()]

    whole_count, whole = gradient([rows])
    split_count, split = gradient([rows[:1], rows[1:4], rows[4:]])
    assert whole_count == split_count == sum(size - 2 for size in range(4, 15))
    for one, other in zip(whole, split, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
