"""CE-GPPO: entropy by the gradients that the clip stops. Su et al. 2025, arXiv:2509.20712.

Differs from `grpo` in what a decision beyond its bound does: it pulls as it would at the bound, times a weight for each
side, where GRPO's has no gradient. What is above is unlikely and good; below, unlikely and bad.

    r > 1+high, A > 0:   loss_d = -above (1+high) r/sg(r) A        in gradient; in value it is GRPO's
    r < 1-low,  A < 0:   loss_d = -below (1-low)  r/sg(r) A
    else                 loss_d = -r A
    loss = 1/(sum_i |i|) sum_i sum_d loss_d,    A_i = (R_i - mean R) / std R

The authors' code also bounds the loss of a bad decision whose ratio exceeds 3. Weights of 0 are clipped GRPO without KL
and with the token mean, which is `tricks(std="group")`; at the first update of a step they do not matter.
"""

from rlft.advantages import per_group, zscore
from rlft.losses import clipped, preserved_clip
from rlft.losses.surrogate import surrogate, token_mean
from rlft.types import Method, Update, published


@published
def ce_gppo(
    below: float = 0.75, above: float = 1.0, low: float = 0.2, high: float = 0.2, epochs: int = 1, minibatches: int = 1
) -> Method:
    """CE-GPPO.

    Args:
        below: weight of the gradient of bad decisions below the lower bound, the paper's beta_1.
        above: weight of the gradient of good decisions above the upper bound, the paper's beta_2.
        low: how far below 1 the ratio may move.
        high: how far above 1 the ratio may move.
        epochs: passes over each batch; with one pass and one minibatch no ratio leaves 1.
        minibatches: optimiser steps in each pass.
    """

    def objective(logp, rollouts):
        ratio = (logp - rollouts.logp_old).exp()
        loss = preserved_clip(ratio, rollouts.advantages, low, high, below, above)
        return loss, {"clipped": clipped(ratio, rollouts.advantages, low, high)}

    return Method(
        advantage=per_group(zscore),
        updates=(Update(surrogate(objective, reduce=token_mean)),),
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
    )
