import shutil

import pytest
import torch
import transformers

from seekmath.core.files import write_jsonl
from seekmath.core.job import Job
from seekmath.model.folder import load_model
from seekmath.train.settings import SftSettings
from seekmath.train.sft import sft
from tests.train.short_runs import SHORT

peft = pytest.importorskip("peft", reason="needs peft")


def run(base, problems, out, **changes):
    settings = {
        "model": str(base),
        "problems": str(problems),
        "kinds": ["cot"],
        "peak_lr": 5e-3,
        "lora_rank": 4,
        "limit": 12,
        "log_every": 1,
        "checkpoint_every": 1,
        **SHORT,
        "context": 192,
    }
    with Job.open(out, 0) as job:
        return sft(SftSettings(**{**settings, **changes}), job)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # between peft and transformers
def test_adapters_learn_and_are_merged_as_peft_merges_them(base, problems, tmp_path):
    run(base, problems, tmp_path)
    before, merged = load_model(base), load_model(tmp_path / "model")
    for name, parameter in before.named_parameters():
        same = torch.equal(parameter, merged.get_parameter(name))
        assert same == ("_proj" not in name), name
    theirs = transformers.AutoModelForCausalLM.from_pretrained(base)
    theirs = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").merge_and_unload()
    tokens = torch.arange(30)[None]
    with torch.no_grad():
        torch.testing.assert_close(merged(tokens), theirs(tokens).logits, atol=1e-4, rtol=1e-4)


def test_a_cut_run_of_adapters_ends_with_the_same_bits(base, problems, tmp_path):
    run(base, problems, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    last = sorted((tmp_path / "cut" / "checkpoints").glob("step-*"))[-1]
    shutil.rmtree(last)
    shutil.rmtree(tmp_path / "cut" / "model")
    run(base, problems, tmp_path / "cut")
    one, two = (load_model(tmp_path / n / "model").state_dict() for n in ("whole", "cut"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_adapters_and_shards_exclude_each_other():
    with pytest.raises(ValueError, match="lora_rank needs parallel: data"):
        SftSettings(model="m", problems="p", lora_rank=2, parallel="fsdp")


def test_messages_are_fine_tuned_on_too(base, tmp_path):
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{n}+1?"},
                {"role": "assistant", "content": f"It is {n + 1}."},
            ]
        }
        for n in range(20)
    ]
    write_jsonl(tmp_path / "chats.jsonl", rows)
    metrics = run(base, tmp_path / "chats.jsonl", tmp_path / "out", lora_rank=0, limit=0)
    assert metrics["examples"] == 20
