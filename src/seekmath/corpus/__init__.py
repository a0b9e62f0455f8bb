"""Floor 2: text to tokens: tokenizer, chat rendering, shards, mixtures, packing."""
