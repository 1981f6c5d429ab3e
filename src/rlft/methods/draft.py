"""DRaFT-K: the gradient of a differentiable reward through the last K denoising steps. Clark et al. 2023,
arXiv:2309.17400, Sec. 4; with AlignProp (Prabhudesai et al. 2023, arXiv:2310.03739), ReFL (Xu et al. 2023,
arXiv:2304.05977) and the anchor of Kandinsky 5 (2025, arXiv:2511.14993) as settings.

Not a policy gradient: no likelihood and no advantage, and steps need no noise. The sample x_0 is a function of the
weights; its reward is differentiated, and steps before the last K are taken as given.

    loss = mean over rows of  -min(R(x_0), ceiling) + beta sum_(t of the last K) |v(x_t) - v_ref(x_t)|²

    DRaFT       draft(last=1000)                  the whole chain, if it has no more steps
    DRaFT-K     draft(last=10)
    DRaFT-LV    draft(last=1, copies=2)           K = 1, from x_0 noised anew, the mean of several
    AlignProp   draft(last=50, how="random")      each row's K uniform on 1 to `last`; the authors' code draws again
                at every step of a batch whether the network has a gradient there
    ReFL        draft(last=10, how="foreseen", ceiling=2.0)   the reward of the x̂0 that one random late step predicts,
                relu(2 - R) as min(R, 2); without its pre-training loss
    Kandinsky 5 draft(last=10, beta=0.02), of R(x_0, a real picture of the prompt); 1 - R and -R have one gradient

In the anchor the states x_t are given too, as in a KL, and the norm is of all numbers of a latent.
"""

import math
from typing import Literal

import torch

from rlft.advantages import uniform
from rlft.losses.pathwise import last_steps, random_last_steps, velocity_distance
from rlft.types import Method, Pathwise, Through, Total, Update, UserError, published


@published
def draft(
    last: int = 1,
    how: Literal["drawn", "random", "foreseen"] = "drawn",
    copies: int = 0,
    beta: float = 0.0,
    ceiling: float = math.inf,
    minibatches: int = 1,
) -> Method:
    """Reward gradients.

    Args:
        last: K, denoising steps that have a gradient, counted from the end; more than there are is all.
        how: all of the last K steps to the picture; a random number of them for each row, 1 to K; or foreseen: one of
            the last K at random, and the picture that is predicted there.
        copies: with last 1, take the last step from so many pictures of each row with new noise; 0 is as it was drawn.
        beta: weight of the squared distance to what the reference network says, at the steps that have a gradient.
        ceiling: rewards above have no gradient.
        minibatches: optimiser steps in each batch.
    """
    if copies and (last != 1 or how != "drawn"):
        raise UserError(f"copies={copies} of the last step alone: they go with last=1 and how='drawn'")

    def loss(policy, rollouts, through: Through) -> Total:
        since = last_steps(rollouts, last) if how == "drawn" else random_last_steps(rollouts, last)
        known, several = rollouts.rewards.isfinite(), max(copies, 1)
        rows = policy.noised_again(rollouts, copies) if copies else rollouts
        outputs = (policy.foreseen if how == "foreseen" else policy.redrawn)(rows, since.repeat_interleave(several))
        earned = through.reward(rows.problems, outputs).to(rollouts.mask.device).reshape(-1, several).mean(1)
        losses = -earned.clamp(max=ceiling).double()
        means = {"reward/differentiated": (torch.where(known, earned.detach(), 0).double().sum(), known.sum())}
        same = known & (how != "foreseen" and not copies)  # then it is the reward that the row was given
        again = {"redrawn/first": torch.where(same, earned.detach() - rollouts.rewards, 0).abs().amax()}
        if beta:
            theirs = through.reference.predicted(rollouts, since).detach()
            apart = velocity_distance(policy.predicted(rollouts, since), theirs)
            losses = losses + beta * apart
            means["anchor"] = (torch.where(known, apart.detach(), 0).sum(), known.sum())
        return Total(torch.where(known, losses, 0).sum(), known.sum(), means, again)

    return Method(
        advantage=uniform,
        updates=(Update(loss),),
        reference=beta > 0,
        pathwise=True,
        minibatches=minibatches,
        needs=(Pathwise,),
    )
