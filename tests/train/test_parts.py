import itertools
from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.core.files import write_json
from seekmath.train.parts import PartReader, write_tensors


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    cuts=st.lists(st.floats(0, 1), max_size=3),
    box=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_a_tensor_written_in_any_parts_is_read_in_any_others(
    tmp_path_factory, rows, columns, cuts, box
):
    folder = tmp_path_factory.mktemp("parts")
    whole = torch.arange(rows * columns, dtype=torch.float32).view(rows, columns)
    edges = sorted({0, rows, *(int(cut * rows) for cut in cuts)})
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        write_tensors(folder / f"rank-{number:05d}.safetensors", {"x": whole[start:end]})
        facts = {"parts": {"x": [[rows, columns], [start, 0]]}}
        write_json(folder / f"rank-{number:05d}.json", facts)
    low = [int(box[0] * (rows - 1)), int(box[1] * (columns - 1))]
    high = [low[0] + 1 + int(box[2] * (rows - low[0] - 1)), columns]
    target = torch.full((high[0] - low[0], high[1] - low[1]), -1.0)
    with PartReader(folder) as reader:
        reader._fill("x", target, tuple(low))
        assert torch.equal(reader.whole("x"), whole)
    assert torch.equal(target, whole[low[0] : high[0], low[1] : high[1]])


def test_every_kind_of_tensor_comes_back(tmp_path):
    kinds = (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8)
    tensors = {str(kind): torch.arange(6).to(kind).view(2, 3).T for kind in kinds}
    tensors |= {"scalar": torch.tensor(3.5), "empty": torch.zeros(0, 4)}
    write_tensors(tmp_path / "rank-00000.safetensors", tensors)
    parts = {name: [list(t.shape), [0] * t.ndim] for name, t in tensors.items()}
    write_json(tmp_path / "rank-00000.json", {"parts": parts})
    with PartReader(tmp_path) as reader:
        for name, tensor in tensors.items():
            target = torch.ones_like(tensor)
            reader.fill(name, target, SimpleNamespace(rank=0, tensor=1, is_first=True))
            assert torch.equal(target, tensor)
            assert np.prod(target.shape) == tensor.numel()
