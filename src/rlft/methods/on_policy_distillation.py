"""On-policy distillation: a student's own rows, each token pulled to what a teacher would say there.

Agarwal et al. 2024, arXiv:2306.13649 (GKD) with lambda = 1 and the reverse KL; Gu et al. 2024, arXiv:2306.08543.

Differs from `sft` on a teacher's texts in whose rows they are: the student is corrected where it goes, and not where
the teacher would have gone. Differs from a policy gradient on log pi_teacher - log pi in that every token of the
vocabulary counts at each place, not the one that was drawn, and that a token pays for its own place alone.

    loss = 1/(sum_i |i|) sum_i sum_d KL(pi(. | d) || pi_teacher(. | d)),   rows i drawn from pi, without gradient

It is 0, and so is its gradient, where the two are one. The reward is not learned from: it is logged, and a row that
cannot be scored is left out.
"""

import torch

from rlft.losses.surrogate import token_mean
from rlft.types import HasTeacher, Method, Total, Update, published


@published
def on_policy_distillation(epochs: int = 1, minibatches: int = 1) -> Method:
    """On-policy distillation.

    Args:
        epochs: passes over each batch; after the first the rows are those of the policy before it.
        minibatches: optimiser steps in each pass.
    """

    def advantage(rollouts, runtime):
        return torch.where(rollouts.rewards.isnan(), torch.nan, torch.ones_like(rollouts.rewards))

    def loss(policy, rollouts) -> Total:
        total = token_mean(policy.distance(rollouts), rollouts.mask)
        return Total(total.sum, total.weight, {"teacher/kl": (total.sum.detach(), total.weight)})

    return Method(
        advantage=advantage, updates=(Update(loss),), epochs=epochs, minibatches=minibatches, needs=(HasTeacher,)
    )
