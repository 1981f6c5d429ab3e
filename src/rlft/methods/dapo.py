"""DAPO: Decoupled Clip and Dynamic Sampling Policy Optimization. Yu et al. 2025, arXiv:2503.14476, Eq. 8 to 13.

Differs from `grpo` in five places: the upper clip is wider than the lower (clip-higher); every decision of the batch
counts the same (token mean); groups whose rewards are all equal are drawn again (dynamic sampling); rows near the
length limit lose up to one point (soft overlong punishment); no KL.

    A_i  = (R'_i - mean R') / std R',    R'_i = R_i + overlong(|i|)
    loss = 1/(sum_i |i|) sum_i sum_d -min(r A_i, clip(r, 1-low, 1+high) A_i)
    overlong(n) = 0 up to limit - cache, falling linearly to -1 at limit, -1 beyond
"""

from rlft.advantages import overlong, zscore
from rlft.collect import informative
from rlft.losses.surrogate import clip_objective, surrogate, token_mean
from rlft.types import Method, Update, UserError, published


@published
def dapo(
    low: float = 0.2,
    high: float = 0.28,
    limit: int | None = None,
    cache: int = 4096,
    rounds: int = 8,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """DAPO.

    Args:
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move.
        limit: decisions at which a row loses a whole point; None leaves the punishment out.
        cache: decisions before `limit` over which the loss grows.
        rounds: batches to draw at most in search of groups whose rewards differ.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    if limit is not None and not 0 < cache < limit:
        raise UserError(f"cache is the stretch before limit, so 0 < cache < limit; got cache {cache}, limit {limit}")

    def advantage(rollouts, runtime):
        rewards = rollouts.rewards
        if limit is not None:
            rewards = rewards + overlong(rollouts.mask.sum(1), limit, cache)
        return zscore(rewards.reshape(-1, rollouts.group)).reshape(-1)

    return Method(
        advantage=advantage,
        updates=(Update(surrogate(clip_objective(low, high), reduce=token_mean)),),
        collect=informative(rounds=rounds),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
