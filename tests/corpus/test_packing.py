import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekmath.corpus.packing import pack_examples, rows_of, stack, stream_row
from seekmath.corpus.shards import Shard

lengths = st.lists(st.integers(2, 11), min_size=1, max_size=20)


def shard(sizes):
    tokens = np.concatenate([[100 * n + i for i in range(size)] for n, size in enumerate(sizes)])
    return Shard(tokens.astype(np.uint16), np.cumsum(sizes), 1)


@given(sizes=lengths, context=st.integers(2, 12))
def test_stream_rows_cover_the_tokens_once_and_keep_documents_apart(sizes, context):
    source = shard(sizes)
    count = rows_of(source, context)
    if not count:
        return
    rows = stack([stream_row(source, number, context) for number in range(count)])
    assert rows.tokens_BT.ravel().tolist() == source.tokens[: count * context].tolist()
    for tokens, targets, documents, loss in zip(
        rows.tokens_BT, rows.targets_BT, rows.documents_BT, rows.loss_BT, strict=True
    ):
        # Here a token's hundreds are its document, so no target is learned across a border.
        assert (loss == (tokens // 100 == targets // 100)).all()
        assert (targets[loss] == tokens[loss] + 1).all()
        assert (np.diff(documents) == np.diff(tokens // 100)).all()


def test_positions_begin_anew_with_each_document():
    rows = stack([stream_row(shard([3, 2, 9]), 0, 9)])
    assert rows.positions_BT.tolist() == [[0, 1, 2, 0, 1, 0, 1, 2, 3]]


@given(sizes=st.lists(st.integers(2, 12), min_size=1, max_size=20))
def test_packed_examples_stay_whole_and_in_order(sizes):
    examples = [
        ([100 * n + i for i in range(size)], [False] + [True] * (size - 1))
        for n, size in enumerate(sizes, 1)
    ]
    packed = stack(pack_examples(examples, context=11))
    learned = packed.targets_BT[packed.loss_BT].tolist()
    assert learned == [token for ids, _ in examples for token in ids[1:]]
    inputs = packed.tokens_BT[packed.loss_BT].tolist()
    assert inputs == [token for ids, _ in examples for token in ids[:-1]]
    assert (packed.positions_BT[packed.loss_BT] == np.array(inputs) % 100).all()


def test_padding_is_a_document_without_loss():
    packed = stack(pack_examples([([1, 2, 3], [False, True, True])], context=6))
    assert packed.loss_BT.tolist() == [[True, True, False, False, False, False]]
    assert packed.documents_BT.tolist() == [[0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("size", [1, 5])
def test_a_shard_shorter_than_a_row_has_none(size):
    assert rows_of(shard([size]), context=5) == 0
