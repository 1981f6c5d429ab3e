"""Polychromic objectives. "Polychromic Objectives for Reinforcement Learning", arXiv:2509.25424.

Differs from `grpo` in the advantage: not the row is judged but the sets of n rows it is in, and a set earns its mean
reward times the share of different behaviours in it. So a second way to succeed is worth more than the first again.
Branched at the problem alone; `poly_ppo` also branches inside the rows, and has a critic.

    f(set) = mean R · (behaviours - free) / (n - free)
    A_i    = mean of f over sets with i - mean of f over all sets of the group
    loss   = 1/N sum_i sum_d [ -min(r A_i, clip(r, 1-clip, 1+clip) A_i) + beta KL(old || new) ]
"""

from rlft.advantages.sets import Key, per_set
from rlft.losses import clipped, kl_k3, ppo_clip
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.types import Method, Update, published


@published
def polychromic(
    n: int | None = None,
    free: float = 1.0,
    key: Key | None = None,
    clip: float = 0.2,
    beta: float = 0.01,
    epochs: int = 2,
    minibatches: int = 1,
) -> Method:
    """Polychromic policy optimisation without a critic.

    Args:
        n: rows of a set; None is half of the group. The group must be larger than a set.
        free: behaviours of a set that earn nothing: 1 as in the paper, 0 for the plain share of distinct ones.
        key: `(problems, outputs) -> [N]` integers, equal where rows behave alike; None compares the outputs.
        clip: how far the ratio may move from 1.
        beta: weight of the KL from the policy that sampled, nats a decision; it acts from the second update on.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, clip, clip) + beta * kl_k3(rollouts.logp_old, logp)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, clip, clip)}

    return Method(
        advantage=per_set(n, free, key),
        updates=(Update(surrogate(objective, reduce=sample_sum)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2 if n is None else n + 1,
    )
