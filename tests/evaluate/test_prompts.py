"""Prompts: the paper's words and shots, the model's own template, and nothing that follows."""

import json
from pathlib import Path

import pytest

from seekmath.core.files import BadInput, read_jsonl, write_jsonl
from seekmath.corpus.chat import SHOT_BREAK
from seekmath.evaluate.problem import Benchmark, Problem
from seekmath.evaluate.prompts import Prompter, cut_at, draw_shots, mode_of
from seekmath.evaluate.published import PUBLISHED, read_published
from seekmath.evaluate.settings import EvaluateSettings

PROBLEM = Problem("p", "What is 1 + 1?", "2", [], "gsm")
OWN = Benchmark("gsm", [PROBLEM])
GSM8K = read_published("gsm8k", [{"question": "How many?", "answer": "2 + 2\n#### 4"}], "x")
CMATH = read_published("cmath", [{"question": "多少？", "golden": "4", "grade": 1}], "x")


def plan(**given) -> EvaluateSettings:
    return EvaluateSettings(**{"models": {"m": "m"}, "benchmarks": "b", **given})


@pytest.fixture
def train(tmp_path: Path) -> Path:
    rows = [
        {"question": f"{kind} {n}?", "solution": f"#### {n}", "kind": kind, "subject": subject}
        for n in range(5)
        for kind, subject in (("cot", "gsm"), ("cot", "sat"), ("pot", "gsm"))
    ]
    write_jsonl(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


def few(train: Path | str, shots: int) -> EvaluateSettings:
    return plan(shots=shots, shots_from=str(train), few_shot_models=["m"])


def text(benchmark: Benchmark, settings: EvaluateSettings, shots=None, template=None) -> str:
    return Prompter(benchmark, settings, shots or {}, template).prompt(benchmark.problems[0]).text


def test_shots_are_worked_in_words_of_the_subject_and_the_same_each_time(train: Path):
    shots = draw_shots(few(train, 4), OWN, seed=1)
    assert shots == draw_shots(few(train, 4), OWN, seed=1)
    assert len(set(shots[""])) == 4
    assert all(shot.question.startswith("cot") for shot in shots[""])
    # Eight of one subject there are not, so both are used.
    assert len(draw_shots(few(train, 8), OWN, seed=1)[""]) == 8


def test_programs_are_shown_where_programs_are_wanted(train: Path):
    settings = few(train, 4).model_copy(update={"mode": "pot"})
    assert all(s.question.startswith("pot") for s in draw_shots(settings, OWN, seed=1)[""])


def test_too_few_examples_or_none_are_refused(train: Path):
    with pytest.raises(BadInput, match=r"11 are needed for .*, but it has 10"):
        draw_shots(few(train, 11), OWN, seed=1)
    with pytest.raises(BadInput, match="--shots-from: needed"):
        draw_shots(few("", 1), OWN, seed=1)
    with pytest.raises(BadInput, match="shots: needed for 'gsm'"):
        draw_shots(few(train, 0), OWN, seed=1)


def test_a_published_benchmark_takes_the_papers_number_from_its_train_split(tmp_path: Path):
    rows = [{"question": f"{n}?", "answer": f"<<1+{n}={n + 1}>>\n#### {n}"} for n in range(20)]
    write_jsonl(tmp_path / "train.jsonl", rows)
    shots = draw_shots(plan(shots_from=str(tmp_path / "train.jsonl")), GSM8K, seed=0)[""]
    assert len(shots) == PUBLISHED["gsm8k"].shots[""] == 8
    assert all("<<" not in shot.solution and "####" in shot.solution for shot in shots)


def test_a_file_of_just_the_wanted_number_keeps_its_order(tmp_path: Path):
    write_jsonl(tmp_path / "x.jsonl", [{"question": f"{n}?", "solution": "s"} for n in range(8)])
    shots = draw_shots(plan(shots_from=str(tmp_path / "x.jsonl")), GSM8K, seed=3)[""]
    assert [shot.question for shot in shots] == [f"{n}?" for n in range(8)]


def test_minif2f_has_two_sets_of_examples(tmp_path: Path):
    def row(name: str, proof: str = "") -> dict:
        return {
            "problem_name": name,
            "informal_statement": f"Show {name}.",
            "informal_proof": "Clear.",
            "formal_statement": f'theorem {name}:\n  shows "True"',
            "header": "theory X begin\n",
            **({"formal_proof": proof} if proof else {}),
        }

    demos = [row(f"mathd_numbertheory_{n}", "by simp") for n in range(7)]
    demos += [row(f"algebra_{n}", "by auto") for n in range(6)]
    write_jsonl(tmp_path / "demos.jsonl", demos)
    rows = [row("mathd_numbertheory_99"), row("imo_1960_p1")]
    benchmark = read_published("minif2f-test", rows, "x")
    settings = plan(shots_from=str(tmp_path / "demos.jsonl"), few_shot_models=["m"])
    shots = draw_shots(settings, benchmark, 0)
    assert {group: len(found) for group, found in shots.items()} == {"numbertheory": 7, "other": 6}
    prompter = Prompter(benchmark, settings, shots)
    number, other = (prompter.prompt(problem).text for problem in benchmark.problems)
    assert number.count("by simp") == 7
    assert other.count("by auto") == 6
    assert other.endswith('theorem imo_1960_p1:\n  shows "True"\n')


def test_a_few_shot_prompt_holds_the_examples_and_a_chat_prompt_none(train: Path):
    shots = draw_shots(few(train, 2), OWN, seed=1)
    shown = text(OWN, few(train, 2), shots)
    assert all(s.question in shown and s.solution in shown for s in shots[""])
    assert shown.endswith(PROBLEM.question + "\n")
    assert text(OWN, plan()) == "User: What is 1 + 1?\n\nAssistant:"


@pytest.mark.parametrize(
    ("benchmark", "mode", "suffix"),
    [
        (GSM8K, "cot", "How many?\nPlease reason step by step, and put your final answer within"
         " \\boxed{}."),
        (GSM8K, "tool", "How many?\nPlease integrate natural language reasoning with programs to"
         " solve the problem above, and put your final answer within \\boxed{}."),
        (CMATH, "cot", "多少？\n请通过逐步推理来解答问题，并把最终答案放置于\\boxed{}中。"),
        (CMATH, "tool", "多少？\n请结合自然语言和Python程序语言来解答问题，"
         "并把最终答案放置于\\boxed{}中。"),
        (OWN, "cot", "What is 1 + 1?"),
    ],
)  # fmt: skip
def test_chat_models_are_asked_in_the_papers_words(benchmark: Benchmark, mode: str, suffix: str):
    assert text(benchmark, plan(mode=mode)) == f"User: {suffix}\n\nAssistant:"


def test_an_instruction_of_ones_own_or_none():
    assert "How many?\nBe brief.\n\n" in text(GSM8K, plan(instruction="Be brief."))
    assert "How many?\n\nA" in text(GSM8K, plan(instruction="none"))
    assert "\\boxed" in text(OWN, plan(instruction="paper"))


def test_what_a_base_model_invents_after_its_answer_is_not_judged(train: Path):
    shots = draw_shots(few(train, 1), OWN, seed=1)
    prompt = Prompter(OWN, few(train, 1), shots).prompt(PROBLEM)
    invented = f"#### 2{SHOT_BREAK}What is 2 + 2?\n#### 4"
    assert cut_at(invented, prompt.stops) == "#### 2"
    assert cut_at(invented, ()) == invented
    assert cut_at("1 STOP 2 END", ("END", "STOP")) == "1 "


def test_the_python_benchmarks_are_answered_by_programs():
    assert mode_of(Benchmark("x", [PROBLEM], kind="pot"), "cot") == "pot"
    assert mode_of(OWN, "tool") == "tool"


@pytest.mark.shared
def test_shots_come_from_the_published_train_splits(shared: Path):
    for name, count in (("gsm8k", 8), ("math", 4)):
        folder = shared / "data" / name
        benchmark = read_published(name, read_jsonl(folder / "test.jsonl.gz"), name, limit=5)
        settings = plan(shots_from=str(folder / "train.jsonl.gz"), few_shot_models=["m"])
        shots = draw_shots(settings, benchmark, seed=0)
        assert len(shots[""]) == count
        shown = text(benchmark, settings, shots)
        assert shown.count("Answer: ") == count
        assert shown.endswith(f"{benchmark.problems[0].question}\nAnswer:")


QWEN = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_the_models_own_template_gives_what_transformers_gives(model_folder: Path, tmp_path: Path):
    import shutil

    from transformers import AutoTokenizer

    from seekmath.corpus.template import ChatTemplate
    from seekmath.corpus.tokenizer import Tokenizer

    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": QWEN}))
    shown = text(OWN, plan(template="model"), template=ChatTemplate.load(folder))
    theirs = AutoTokenizer.from_pretrained(folder)
    messages = [{"role": "user", "content": PROBLEM.question}]
    assert shown == theirs.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    marked = shown.replace("<|im_end|>", "<|end|>")  # a token that this model has
    assert Tokenizer.load(folder).encode_template(marked) == theirs.encode(marked)


@pytest.mark.parametrize(
    ("template", "message"),
    [("", "no chat template"), ("{% if %}", "chat template:"),
     ("{{ raise_exception('no system') }}", "no system"),
     ("{{ messages.__class__.__mro__ }}", "unsafe")],
)  # fmt: skip
def test_a_template_that_will_not_do_is_refused(tmp_path: Path, template: str, message: str):
    from seekmath.corpus.template import ChatTemplate

    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    with pytest.raises(BadInput, match=message):
        ChatTemplate.load(tmp_path).text("hello")
