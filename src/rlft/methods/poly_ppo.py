"""Poly-PPO. "Polychromic Objectives for Reinforcement Learning", arXiv:2509.25424, Algorithm 2.

Differs from `ppo` in two places: groups of rows start at several decisions of the same row (vines), and in the first
decisions after such a branch the advantage is that of the sets a row is in (`polychromic`), not the critic's.

    A_d    = mean of f over sets with the row - mean of f     within `window` decisions of the branch
           = GAE(gamma, lam) of r and V                       after that
    loss   = mean_d [ -min(r A_d, clip(r, 1-clip, 1+clip) A_d) + beta KL(old || new) ]
    value loss = mean_d 1/2 (V - returns)²

A problem's own start is the first of the `points`, so that a step has as many rows as any other method's.
"""

import math

from rlft.advantages.sets import Key, per_set, windowed
from rlft.collect.vines import vines
from rlft.losses import clipped, kl_k3, ppo_clip, value_clip
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Resumable, Total, Update, critic_parameters, published


@published
def poly_ppo(
    n: int | None = None,
    points: int = 2,
    window: int = 5,
    free: float = 1.0,
    key: Key | None = None,
    clip: float = 0.2,
    beta: float = 0.01,
    gamma: float = 1.0,
    lam: float = 0.95,
    value_lr: float = 1.0,
    epochs: int = 2,
    minibatches: int = 1,
) -> Method:
    """Poly-PPO.

    Args:
        n: rows of a set; None is half of the group. The group must be larger than a set.
        points: places of a row that groups start from, the first its start; 1 needs no policy that can resume.
        window: decisions after a branch that are credited by sets; 0 makes it PPO on vines.
        free: behaviours of a set that earn nothing: 1 as in the paper, 0 for the plain share of distinct ones.
        key: `(problems, outputs) -> [N]` integers, equal where rows behave alike; None compares the outputs.
        clip: how far the ratio may move from 1.
        beta: weight of the KL from the policy that sampled, nats a decision; it acts from the second update on.
        gamma: discount of each decision, for the critic.
        lam: GAE's mixing.
        value_lr: the critic's learning rate, in units of the policy's.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, clip, clip) + beta * kl_k3(rollouts.logp_old, logp)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, clip, clip)}

    def value_loss(policy, rollouts) -> Total:
        loss = value_clip(policy.value(rollouts), rollouts.values, rollouts.returns, math.inf)
        return token_mean(loss, rollouts.mask)

    return Method(
        advantage=windowed(per_set(n, free, key), window, gamma, lam),
        updates=(
            Update(surrogate(objective, reduce=token_mean)),
            Update(value_loss, critic_parameters, name="value", lr=value_lr),
        ),
        collect=vines(points),
        critic=True,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2 if n is None else n + 1,
        needs=(Resumable,) if points > 1 else (),
    )
