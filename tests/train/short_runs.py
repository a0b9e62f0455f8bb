"""Settings that every short training run of the tests shares."""

SHORT = {"context": 64, "rows_per_step": 2, "device": "cpu", "threads": 1}
