"""Floor 1: deterministic judges of answers. What a model wrote is executed in the sandbox only."""
