"""Losses of each decision, `[N D] -> [N D]`, and of each pair. Pure tensor functions: no model, no mask, no mean."""

from rlft.losses.divergence import kl_k1, kl_k2, kl_k3
from rlft.losses.policy import (
    cispo_weight,
    clipped,
    geometric_ratio,
    policy_gradient,
    ppo_clip,
    preserved_clip,
    sequence_ratio,
    shaped,
    token_of_sequence,
)
from rlft.losses.preference import dpo
from rlft.losses.value import value_clip

__all__ = [
    "cispo_weight",
    "clipped",
    "dpo",
    "geometric_ratio",
    "kl_k1",
    "kl_k2",
    "kl_k3",
    "policy_gradient",
    "ppo_clip",
    "preserved_clip",
    "sequence_ratio",
    "shaped",
    "token_of_sequence",
    "value_clip",
]
