"""CycleAlign: a judge that cannot be trained and a policy teach each other by rankings. Hong et al. 2023,
arXiv:2310.16271; the ranking losses are RRHF's, arXiv:2304.05302, and PRO's, arXiv:2306.17492.

Both rank the G rows of a problem: the judge, a reward that is asked for an order (`ranking`), and the policy by p_i =
1/|i| sum_d log pi(d). The longest part of the order on which they agree is shown to the judge as a demonstration with
the next questions, and it is what the policy learns from.

    loss = mean over problems of  weight · sum over pairs with rank_i < rank_j of max(0, p_i - p_j)  -  imitation p_best

Where an agreed order teaches, the pairs are in the policy's own order when a batch is met first, so RRHF's sum is 0 and
has no gradient until the policy has moved: what teaches is the best row of those that are agreed on. `form="pro"` has
one from the start, and so has `teaches="judge"`, the judge's whole ranking. That with `shown="none"` is RRHF, one way;
with weight=0 too it is imitation of the best row, each problem alike. Groups without two ranked rows that differ teach
nothing.
"""

from typing import Literal

import torch

from rlft.advantages import center, per_group
from rlft.collect.agreed import Agreed, Ranking
from rlft.collect.sources import one_batch
from rlft.losses.listwise import best, mean_log_prob, pro, rrhf
from rlft.losses.surrogate import drift
from rlft.types import Method, Total, Update, published


@published
def cyclealign(
    teaches: Ranking = "agreed",
    shown: Literal["agreed", "judge", "none"] = "agreed",
    form: Literal["rrhf", "pro"] = "rrhf",
    weight: float = 1.0,
    imitation: float = 1.0,
    keep: int = 8,
    least: int = 4,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """CycleAlign.

    Args:
        teaches: the ranking that the policy learns from, what both agree on or all of the judge's.
        shown: the ranking that the judge is shown with the next questions, or none.
        form: the ranking loss, of pairs in the wrong order or of the whole order's likelihood.
        weight: of the ranking loss.
        imitation: weight of the best row's mean negative log-likelihood.
        keep: demonstrations that the judge is shown, the newest.
        least: rows of a group that must agree to be a demonstration.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    ranked = {"rrhf": rrhf, "pro": pro}[form]

    def loss(policy, rollouts) -> Total:
        logp = policy.log_prob(rollouts)
        scores = mean_log_prob(logp, rollouts.mask).reshape(-1, rollouts.group)
        ranks = rollouts.rewards.reshape(-1, rollouts.group).to(logp.dtype)
        high, low = ranks.nan_to_num(nan=-torch.inf).amax(1), ranks.nan_to_num(nan=torch.inf).amin(1)
        losses, known = weight * ranked(scores, ranks) - imitation * best(scores, ranks), high > low
        means, peaks = drift(logp, rollouts)
        means["violated"] = (torch.where(known, rrhf(scores.detach(), ranks), 0).sum(), known.sum())
        return Total(torch.where(known, losses, 0).sum(), known.sum(), means, peaks)

    one_way = teaches == "judge" and shown == "none"
    return Method(
        advantage=per_group(center),
        updates=(Update(loss),),
        collect=one_batch if one_way else Agreed(teaches, None if shown == "none" else shown, keep, least),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
        whole_groups=True,
    )
