"""VAPO: PPO with a critic for rows of very different lengths. Yue et al. 2025, arXiv:2504.05118, Section 4.

Differs from `ppo` in four places: lambda grows with a row's length; the critic is fitted to returns of its own lambda;
the upper clip is wider than the lower; rows that were right are imitated a little.

    A_d  = GAE(gamma, lam_i) whitened,   lam_i = 1 - 1/(alpha |i|);     returns = GAE(gamma, critic_lam) + V_d
    loss = mean_d -min(r A_d, clip(r, 1-low, 1+high) A_d)  +  imitate · mean over right rows' d of -log pi(d)
    value loss = mean_d 1/2 max((V - returns)², (V_old + clip(V - V_old, ±value_clip) - returns)²)

The paper also fits the critic alone for some steps before it begins, which is not done here. With a `lam` that is given
and equal to `critic_lam`, low = high and imitate = 0 it is `ppo`.
"""

from rlft.advantages.decoupled import decoupled_gae, with_solved
from rlft.losses import clipped, ppo_clip
from rlft.losses import value_clip as clipped_value_loss
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Total, Update, critic_parameters, published


@published
def vapo(
    alpha: float = 0.05,
    lam: float | None = None,
    critic_lam: float = 1.0,
    low: float = 0.2,
    high: float = 0.28,
    imitate: float = 0.1,
    solved: float = 1.0,
    value_clip: float = 0.2,
    gamma: float = 1.0,
    value_lr: float = 1.0,
    epochs: int = 4,
    minibatches: int = 1,
) -> Method:
    """VAPO.

    Args:
        alpha: the share of a row over which GAE looks ahead; rows of up to 1/alpha decisions look one step ahead.
        lam: one lambda for all rows instead, 0 to 1.
        critic_lam: lambda of the returns that the critic is fitted to.
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move.
        imitate: weight of the imitation of right rows; 0 imitates none.
        solved: the reward from which a row is right.
        value_clip: how far the critic may move from its old value before its gradient stops, in units of reward.
        gamma: discount of each decision.
        value_lr: the critic's learning rate, in units of the policy's.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass; the decisions of right rows are counted over the whole batch.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, low, high)
        if imitate:
            loss = loss - imitate * rollouts.emphasis * logp
        return loss, {"clipped": clipped(ratio, rollouts.advantages, low, high)}

    def value_loss(policy, rollouts) -> Total:
        loss = clipped_value_loss(policy.value(rollouts), rollouts.values, rollouts.returns, value_clip)
        return token_mean(loss, rollouts.mask)

    return Method(
        advantage=with_solved(decoupled_gae(gamma, lam, critic_lam, alpha), solved),
        updates=(
            Update(surrogate(objective, reduce=token_mean)),
            Update(value_loss, critic_parameters, name="value", lr=value_lr),
        ),
        critic=True,
        epochs=epochs,
        minibatches=minibatches,
    )
