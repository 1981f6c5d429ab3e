"""Where rollouts come from: one batch, informative groups, demonstrations."""

from rlft.collect.sources import demonstrations, informative, one_batch, varied

__all__ = ["demonstrations", "informative", "one_batch", "varied"]
