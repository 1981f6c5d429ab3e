"""CAPO: Credit Assignment Policy Optimization. Xie et al. 2025, arXiv:2508.02298.

A language model that reads question and row, its steps numbered, says which of them are wrong, once or several times;
what it blames is credited less than the rest of its row. The reward says that, `rewards.critique` beside another.

    r_id = correct R_i - penalty b_id       b_id: how wrong the critic finds the step that decision d belongs to, 0 to 1
    A_id = (r_id - mean r) / std r          over all decisions of the G rows of a problem
    loss = 1/(sum_i |i|) sum_i sum_d -min(r A, clip(r, 1-clip, 1+clip) A) + beta k3(pi_ref, pi)

Differs from `grpo` in the credit and in that every decision weighs the same. With correct > penalty every decision of a
right row is worth more than any of a wrong one. The paper's constants are not in its text as we had it; ours are those
of a re-implementation. Where no reward blames anything it is GRPO with the token mean.
"""

from rlft.advantages.process import blame_zscore
from rlft.losses import clipped, kl_k3, ppo_clip
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, UserError, published


@published
def capo(
    correct: float = 2.0,
    penalty: float = 1.0,
    clip: float = 0.2,
    beta: float = 0.0,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """CAPO.

    Args:
        correct: what a decision is worth for each unit of its row's reward.
        penalty: what it costs where its step is blamed; 0 takes no notice of the critic.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    if not correct >= 0 or not penalty >= 0:
        raise UserError(f"correct={correct} and penalty={penalty} are what is given and what is taken, both at least 0")

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = ppo_clip(ratio, rollouts.advantages, clip, clip)
        if beta:
            loss = loss + beta * kl_k3(logp, rollouts.logp_ref)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, clip, clip)}

    return Method(
        advantage=blame_zscore(correct, penalty),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        reference=beta > 0,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
