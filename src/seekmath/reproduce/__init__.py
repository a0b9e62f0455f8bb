"""The paper's tables and figures as experiments: arms, seeds, intervals, verdicts. Floor 6."""
