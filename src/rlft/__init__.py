"""rlft: reinforcement-learning fine-tuning of any generative policy on one engine."""

__version__ = "0.1.0"
