import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seekmath.commands.plan import plan as command
from seekmath.core.files import BadInput
from seekmath.core.recipe import load_recipe
from seekmath.model.decoder import Decoder
from seekmath.model.low_rank import add_low_rank
from seekmath.model.sizes import sized
from seekmath.plan import Machines, plan, refusals, table
from seekmath.stages import STAGES

RECIPES = Path(__file__).parents[1] / "recipes"
H100 = Machines(gpus=8, memory_gib=80, peak_tflops=989, mfu=0.5)


def planned(name, *overrides, machines=H100):
    loaded = load_recipe(RECIPES / f"{name}.yaml", list(overrides), STAGES, inputs=False)
    return {entry["stage"]: entry for entry in plan(loaded, machines, vocab_size=102_400)}


def test_the_papers_run_has_its_tokens_and_the_time_follows_from_them():
    entry = planned("pretrain-1.3b")["pretrain"]
    assert entry["fits"]
    assert entry["tokens"] == pytest.approx(150e9, rel=1e-4)
    seconds = entry["tokens"] * entry["gflops_per_token"] * 1e9 / (8 * 989e12 * 0.5)
    assert entry["hours"] == pytest.approx(seconds / 3600, rel=1e-3)
    assert entry["memory_gib"]["optimizer"] == pytest.approx(
        8 * entry["parameters"] / 8 / 2**30, abs=0.01
    )


def test_parameters_are_counted_with_and_without_embeddings():
    for size, width, matrices in (("1.3b", 2048, 2), ("125m", 768, 1)):  # of 125m they are tied
        entry = planned("pretrain-1.3b", f"pretrain.size={size}")["pretrain"]
        embeddings = entry["parameters"] - entry["without_embeddings"]
        assert embeddings == matrices * 102_400 * width


def test_every_recipe_that_trains_can_be_planned():
    assert set(planned("laptop")) == {"pretrain", "sft", "grpo"}
    assert planned("laptop")["sft"]["parameters"] == planned("laptop")["grpo"]["parameters"]
    assert set(planned("deepseekmath-7b")) == {"pretrain", "sft"}
    assert planned("two-stage-1.3b")["pretrain"]["tokens"] == pytest.approx(550e9, rel=1e-4)


def test_what_cannot_fit_is_refused_with_what_would():
    small = Machines(gpus=1, memory_gib=24, peak_tflops=989, mfu=0.5)
    entry = planned("deepseekmath-7b", machines=small)["pretrain"]
    assert not entry["fits"]
    (line, _) = refusals(list(planned("deepseekmath-7b", machines=small).values()))
    assert "stage 'pretrain' needs" in line
    assert "it fits on 8 GPUs with micro_batch_rows=1" in line
    wide = Machines(8, 24, 989, 0.5)
    assert planned("deepseekmath-7b", "pretrain.micro_batch_rows=1", machines=wide)["pretrain"][
        "fits"
    ]


def test_the_cheapest_change_is_named_first():
    entry = planned(
        "pretrain-1.3b", "pretrain.micro_batch_rows=0", "pretrain.checkpoint_activations=false"
    )
    assert entry["pretrain"]["would_fit"] == "it fits with micro_batch_rows=1"


def test_ppo_needs_a_critic_beside_the_policy():
    entry = planned("laptop")["grpo"]
    grpo, ppo = entry["memory_gib"], entry["memory_gib_ppo"]
    assert ppo["critic"] == pytest.approx(4 * grpo["weights"], abs=0.03)
    assert ppo["all"] > grpo["all"]


def test_a_grpo_step_samples_and_updates_in_turn():
    entry = planned("grpo-gsm8k", "grpo.model=1.3b")["grpo"]
    found = entry["memory_gib"]
    assert entry["would_fit"] == "it fits with sampler_rows=64"
    others = ("weights", "optimizer", "reference", "kv_cache")
    assert found["all"] == pytest.approx(sum(found[name] for name in others), abs=0.01)
    fits = planned("grpo-gsm8k", "grpo.model=1.3b", "grpo.sampler_rows=64")["grpo"]["memory_gib"]
    others = ("weights", "optimizer", "reference", "gradients", "activations", "loss")
    assert fits["all"] == pytest.approx(sum(fits[name] for name in others), abs=0.01)
    on_disk = planned("grpo-gsm8k", "grpo.model=1.3b", "grpo.reference_in=file")["grpo"]
    assert on_disk["memory_gib"]["all"] == pytest.approx(
        found["all"] - found["reference"], abs=0.01
    )


def test_additions_of_low_rank_are_counted():
    found = planned("grpo-gsm8k", "grpo.model=small", "grpo.lora_rank=8")["grpo"]["memory_gib"]
    model = Decoder(sized("small", 500, 64), seed=0)
    add_low_rank(model, 8, 16.0, 0)
    count = sum(p.numel() for name, p in model.named_parameters() if "lora_" in name)
    assert found["gradients"] == pytest.approx(4 * count / 2**30, abs=1e-5)
    assert found["reference"] == 0


def test_the_command_prints_and_refuses():
    ran = CliRunner().invoke(command, [str(RECIPES / "laptop.yaml"), "--gpus", "1", "--json"])
    assert [entry["stage"] for entry in json.loads(ran.output)] == ["pretrain", "sft", "grpo"]
    ran = CliRunner().invoke(
        command, [str(RECIPES / "deepseekmath-7b.yaml"), "--gpus", "1", "--memory-gib", "16"]
    )
    assert isinstance(ran.exception, BadInput)
    assert "fits               no" in ran.output


def test_a_model_to_start_from_may_be_named_by_its_size():
    entry = planned("grpo-gsm8k", "grpo.model=1.3b")["grpo"]
    assert entry["parameters"] == planned("pretrain-1.3b")["pretrain"]["parameters"]


def test_little_memory_is_shown_in_mib():
    shown = table(list(planned("laptop").values()))
    assert "memory             weights 4.0 MiB" in shown
    assert " 0 MiB" not in shown
    assert "usable             73.6 GiB" in shown


def test_a_model_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("stages: {sft: {model: gone, problems: p.jsonl}}")
    loaded = load_recipe(path, [], STAGES, inputs=False)
    with pytest.raises(
        BadInput, match=r"no folder gone .* one of the sizes tiny, .* sft\.model=7b"
    ):
        plan(loaded, H100, 1000)
    path.write_text("stages: {world: {}}")
    with pytest.raises(BadInput, match="holds no stage pretrain"):
        plan(load_recipe(path, [], STAGES, inputs=False), H100, 1000)
    assert table([]) == ""
