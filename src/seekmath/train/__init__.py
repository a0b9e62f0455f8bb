"""Floor 3: one optimizer loop; pre-training, fine-tuning and reward models on it."""
