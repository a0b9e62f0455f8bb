"""Settings of the stage ``evaluate``."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from seekmath.core.recipe import Settings, Source


class EvaluateSettings(Settings):
    """Models and benchmarks in; accuracy, Maj@K, Pass@K and every single answer out."""

    models: dict[str, Source] = Field(
        {},
        description="Model folders by name; with an endpoint, names that it serves.",
        json_schema_extra={"option": "--model"},
    )
    endpoint: str = Field(
        "",
        description="Base URL of an OpenAI-compatible server, such as http://localhost:8000/v1."
        " A key is read from OPENAI_API_KEY.",
    )
    served: dict[str, str] = Field({}, description="Names of models at the endpoint, by our name.")
    recorded: dict[str, Source] = Field(
        {}, description="Recorded answers (JSON lines) by name, instead of a model."
    )
    benchmarks: dict[str, Source] = Field(
        {},
        description="A JSON-lines file with question and answer, a folder of such files, or"
        " NAME=FILE with a published benchmark's name and its file.",
        json_schema_extra={"option": "--benchmark"},
    )
    hub: list[str] = Field(
        [],
        description="Published benchmarks loaded through the package datasets: NAME, or"
        " NAME=OWNER/DATASET:CONFIG:SPLIT.",
    )
    question_field: str = Field("question", description="The question's field in own files.")
    answer_field: str = Field("answer", description="The answer's field in own files.")
    completion_field: str = Field("completion", description="The answers' field in recordings.")
    score_field: str = Field("score", description="A reward model's scores in recordings.")
    mode: Literal["cot", "pot", "tool"] = Field(
        "cot", description="Answer in words, by one program, or by both in turns."
    )
    template: Literal["paper", "model"] = Field(
        "paper", description="'User: …' and 'Assistant:', or the model's own chat template."
    )
    instruction: str = Field(
        "auto",
        description="After a chat model's question: auto (the paper's words for published"
        " benchmarks), paper, none, or words of your own.",
    )
    few_shot_models: list[str] = Field(
        [],
        description="Models asked with worked examples; the others get the chat prompt alone.",
        json_schema_extra={"option": "--few-shot-model"},
    )
    shots: int = Field(
        0, ge=0, description="Worked examples before each question; 0 takes the paper's number."
    )
    shots_from: dict[str, Source] = Field(
        {}, description="Where they are drawn from: a train split for all, or BENCHMARK=FILE."
    )
    seen: list[Source] = Field(
        [], description="Training problems (JSON lines): those of a benchmark are flagged."
    )
    sampled: list[str] = Field(
        [], description="Benchmarks that also get K samples a problem; the others greedy only."
    )
    samples: int = Field(16, ge=1, description="K: samples of each problem.")
    temperature: float = Field(0.7, gt=0, description="Temperature of the samples.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of the samples.")
    max_new_tokens: int = Field(256, ge=1, description="Tokens of a completion at most.")
    stop: list[str] = Field([], description="Texts that end a completion.")
    rounds: int = Field(2, ge=1, description="Rounds of generating and executing (mode tool).")
    unsafe: bool = Field(
        False, description="Run model-written programs and proofs even where nothing isolates them."
    )
    informal: Source = Field(
        "",
        description="Informal statements and proofs (JSON lines) by name, for formal statements"
        " without them, such as Coq's.",
    )
    automation: bool = Field(
        True, description="Beside the models, a row of what a prover's own tactics prove."
    )
    tactic_cpu_s: float = Field(
        10.0, gt=0, description="Processor time of one tactic of a model's proof, seconds."
    )
    limit: int = Field(0, ge=0, description="Problems of each benchmark at most; 0 takes all.")
    api: Literal["chat", "completions"] = Field("chat", description="The endpoint's interface.")
    concurrency: int = Field(16, ge=1, description="Requests to the endpoint at once.")
    timeout_s: float = Field(600, gt=0, description="Seconds that one request may take.")
    patience_s: float = Field(
        900, ge=0, description="Seconds that a failing request is tried again."
    )
    max_rows: int = Field(256, ge=1, description="Completions sampled at once.")
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps …")

    @field_validator("benchmarks", "shots_from", mode="before")
    @classmethod
    def _one_path(cls, value: Any) -> Any:
        """A single path stands under its own name."""
        if isinstance(value, str):
            return {Path(value).name: value} if value else {}
        return value

    @model_validator(mode="before")
    @classmethod
    def _served_models(cls, given: Any) -> Any:
        """With an endpoint, ``models`` are names that it serves, not folders."""
        if isinstance(given, dict) and given.get("endpoint") and given.get("models"):
            return {**given, "models": {}, "served": given["models"]}
        return given

    @model_validator(mode="after")
    def _something_to_do(self) -> "EvaluateSettings":
        if not (self.models or self.served or self.recorded):
            raise ValueError(
                "needs --model FOLDER, --endpoint URL with --model NAME, or --recorded NAME=FILE"
            )
        if not (self.benchmarks or self.hub):
            raise ValueError("needs --benchmark FILE (or NAME=FILE), or --hub NAME")
        if self.served and not self.endpoint:
            raise ValueError("--served needs --endpoint URL")
        if self.endpoint and not self.served:
            raise ValueError("--endpoint needs --model NAME, the name that the server knows")
        if self.served and self.mode == "tool" and self.api == "chat":
            raise ValueError(
                "--mode tool goes on where the model stopped: it needs --api completions"
            )
        return self
