import json
import os
import shutil

import pytest
import torch
import transformers
from click.testing import CliRunner

from seekmath.commands.export import export as command
from seekmath.core.files import BadInput
from seekmath.core.job import Job
from seekmath.corpus.chat import render_messages, render_prompt
from seekmath.corpus.tokenizer import Tokenizer
from seekmath.model.folder import load_model, save_weights
from seekmath.model.sampler import sample
from seekmath.train.export import export
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import PretrainSettings
from tests.model.families import FAMILIES, make_folder
from tests.train.short_runs import SHORT

QUESTION = "Tom has 12 apples and buys 3. How many has he?"


def test_transformers_writes_the_same_tokens(base, tmp_path):
    export(base, tmp_path / "out", "fp32", None)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    asked = [{"role": "user", "content": QUESTION}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
    ours = Tokenizer.load(base)
    assert ids == render_prompt(ours, QUESTION)
    prompt = torch.tensor([ids])
    written = theirs.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False
    )
    model = load_model(tmp_path / "out")
    settings = {"n": 1, "max_new_tokens": 24, "temperature": 0.0, "seed": 0}
    ((completion,),) = sample(model, [ids], stop_ids={ours.eos_id}, **settings)
    assert written[0, len(ids) :].tolist() == completion.token_ids


def test_the_templates_conversation_is_what_fine_tuning_renders(base, tmp_path):
    export(base, tmp_path / "out", "fp32", None)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    messages = [
        {"role": "user", "content": "6*7?"},
        {"role": "assistant", "content": "```python\nprint(6*7)\n```"},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "It is 42."},
    ]
    found = theirs.apply_chat_template(messages, return_dict=False)
    assert found == render_messages(Tokenizer.load(base), messages)[0]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_comes_out_as_it_went_in(family, base, tmp_path):
    theirs = make_folder(family, tmp_path / "in", vocab_size=400)
    export(tmp_path / "in", tmp_path / "out", "bf16", base)
    back = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert type(back) is type(theirs)
    for name, parameter in theirs.named_parameters():
        assert torch.equal(back.get_parameter(name), parameter.to(torch.bfloat16))


def test_a_checkpoint_is_the_model_of_its_step(tokens, tmp_path):
    settings = PretrainSettings(
        tokens=str(tokens), steps=4, **SHORT, checkpoint_every=2, log_every=1
    )
    with Job.open(tmp_path / "run", 0) as job:
        pretrain(settings, job)
    last = tmp_path / "run" / "checkpoints" / "step-00000004"
    export(last, tmp_path / "out", "fp32", tokens / "tokenizer")
    found, wanted = (load_model(tmp_path / p).state_dict() for p in ("out", "run/model"))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    with pytest.raises(BadInput, match="its tokenizer is not known"):
        export(last, tmp_path / "other", "fp32", None)
    os.truncate(last / "rank-00000.safetensors", 100)
    with pytest.raises(BadInput, match="differs from what was written"):
        export(last, tmp_path / "other", "fp32", tokens / "tokenizer")
    assert not (tmp_path / "other").exists()


def test_a_large_model_is_written_in_several_files(base, tmp_path):
    shutil.copytree(base, tmp_path / "cut")
    weights = dict(load_model(base).named_parameters())
    (tmp_path / "cut" / "model.safetensors").unlink()
    save_weights(weights, tmp_path / "cut", most_bytes=300_000)
    assert len(list((tmp_path / "cut").glob("model-*-of-*.safetensors"))) > 2
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "cut")
    ours = load_model(tmp_path / "cut")
    for name, parameter in weights.items():
        assert torch.equal(ours.get_parameter(name), parameter)
        assert torch.equal(theirs.get_parameter(name), parameter)


def test_the_command_says_what_it_wrote_and_spares_other_folders(base, tmp_path):
    ran = CliRunner().invoke(command, [str(base), "--out", str(tmp_path / "out"), "--json"])
    assert "generation_config.json" in json.loads(ran.output)["files"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(BadInput, match="is not empty and holds no model"):
        export(base, tmp_path / "mine", "bf16", None)
    with pytest.raises(BadInput, match=r"holds neither config\.json"):
        export(tmp_path / "mine", tmp_path / "x", "bf16", None)
