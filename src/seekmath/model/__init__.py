"""Floor 1: the decoder, its folders on disk, and the sampler. Knows nothing of mathematics."""
