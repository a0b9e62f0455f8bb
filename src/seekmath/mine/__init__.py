"""Floor 2: from WARC files and seed pages to a corpus, round by round. Knows nothing of torch."""
