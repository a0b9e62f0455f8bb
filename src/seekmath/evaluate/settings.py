"""Settings of the stage ``evaluate``."""

from pydantic import Field

from seekmath.core.recipe import Settings, Source


class EvaluateSettings(Settings):
    """Models and benchmarks in; greedy accuracy, Maj@K and Pass@K out."""

    models: dict[str, Source] = Field(description="Model folders by name.", min_length=1)
    benchmarks: Source = Field(
        description="A JSON-lines file with question and answer, or a folder of such files."
    )
    question_field: str = Field("question", description="Name of the question's field.")
    answer_field: str = Field("answer", description="Name of the answer's field.")
    sampled: list[str] = Field(
        [], description="Benchmarks that also get K samples a problem; the others greedy only."
    )
    samples: int = Field(16, ge=1, description="K: samples of each problem.")
    temperature: float = Field(0.7, gt=0, description="Temperature of the samples.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of the samples.")
    max_new_tokens: int = Field(256, ge=1, description="Tokens of a completion at most.")
    shots: int = Field(0, ge=0, description="Worked examples before each question (base models).")
    shots_from: Source = Field("", description="JSON lines with question and solution for shots.")
    few_shot_models: list[str] = Field(
        [], description="Models asked with shots; the others get the chat prompt alone."
    )
    limit: int = Field(0, ge=0, description="Problems of each benchmark at most; 0 takes all.")
    max_rows: int = Field(256, ge=1, description="Completions sampled at once.")
    threads: int = Field(0, ge=0, description="CPU threads; 0 leaves torch's choice.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps …")
