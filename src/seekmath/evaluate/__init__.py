"""Floor 3: benchmarks, prompts, answering, grading, metrics."""
