"""Floor 3: a run directory shown to people, as a table and as one self-contained HTML page."""
