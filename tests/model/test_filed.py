"""Weights in a file: the same model, and memory that comes and goes."""

import copy
import re
from pathlib import Path

import pytest
import torch

from seekmath.model.decoder import Decoder
from seekmath.model.filed import put_in_file
from seekmath.model.sizes import sized


def test_the_model_stays_the_same_and_takes_what_is_written_to_it(tmp_path):
    model = Decoder(sized("tiny", vocab_size=61, context=64), seed=1)
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        wanted = model(tokens)
        let_go = put_in_file(model, tmp_path)
        assert torch.equal(model(tokens), wanted)
        let_go()
        assert torch.equal(model(tokens), wanted)
        other = copy.deepcopy(Decoder(model.config, seed=2))
        model.load_state_dict(other.state_dict())
        let_go()
        assert torch.equal(model(tokens), other(tokens))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_let_go(tmp_path):
    def resident_mib() -> float:
        found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
        return int(found[1]) / 1024

    model = torch.nn.Linear(4096, 4096, bias=False)  # 64 MiB
    let_go = put_in_file(model, tmp_path)
    before = resident_mib()
    total = float(model.weight.detach().sum())
    assert resident_mib() - before > 48
    let_go()
    assert resident_mib() - before < 16
    assert float(model.weight.detach().sum()) == total
