"""Floor 2: the embedded default: a small web, families of problems, and the truth about both."""
