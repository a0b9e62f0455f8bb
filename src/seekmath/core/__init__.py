"""Floor 0: recipes, runs, artifacts, files, seeds and the log. No torch, no stage knowledge."""
