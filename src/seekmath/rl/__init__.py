"""Reinforcement: rollouts, rewards, advantages and the methods on one loop (paper, 4 and 5.2)."""
