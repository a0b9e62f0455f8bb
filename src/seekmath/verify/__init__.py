"""Floor 1: deterministic judges of answers. Nothing that a model wrote is ever executed."""
