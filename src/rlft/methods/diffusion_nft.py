"""DiffusionNFT: rewards without likelihoods. Zheng et al. 2025, arXiv:2509.16117.

Not a policy gradient: samples are noised anew, as in pre-training, and the network is drawn to those that are good and
pushed from those that are not. Any solver draws them, and no step needs noise.

    r_i  = clip(1/2 + A_i / (2 largest), 0, 1),    A_i = (R_i - mean R over the group) / std R over the batch
    x±   = x_before ± beta (x_theta - x_before)          x̂0 of the sample noised anew, `before`: who drew the batch
    loss = mean over rows, levels of  r d(x⁺, x0) + (1 - r) d(x⁻, x0) + anchor mean (x_theta - x_ref)²

with d the squared error over the mean size of the error. Who draws is a slow average of the weights, old <- eta old +
(1 - eta) theta with eta = min(rate n, most) after n steps. The authors' anchor is between velocities; here all is said
in x̂0, which a velocity is linear in. At the weights that drew the batch it is (2r - 1) times the gradient of the
denoising loss on one's own samples. With rate=0 the weights as they are draw.
"""

from functools import partial

import torch

from rlft.advantages import group_mean_batch_std, per_batch, uniform
from rlft.collect.renoised import renoised
from rlft.collect.slowly import Slowly
from rlft.losses.negative_aware import negative_aware, optimality
from rlft.types import Denoising, Method, Through, Total, Update, published


@published
def diffusion_nft(
    beta: float = 1.0,
    levels: int = 1,
    largest: float = 5.0,
    anchor: float = 1e-4,
    rate: float = 0.001,
    most: float = 0.5,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """DiffusionNFT.

    Args:
        beta: how far the network is led from the one that drew the batch; the paper has 1 and 0.1.
        levels: noise levels that each sample is learned at, of those that the sampler has steps for.
        largest: the advantage at which a row is good, or bad, for certain.
        anchor: weight of the squared distance to what the reference network says; 0 needs no reference.
        rate: how much more of the average is kept with every step; 0 draws with the weights as they are.
        most: share of it that is kept at most.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    def loss(policy, rollouts, through: Through) -> Total:
        trace, known = rollouts.trace, rollouts.trace["good"].isfinite()
        said = policy.denoised(rollouts, trace["at"])
        good = torch.where(known, trace["good"], 0.5)
        losses = negative_aware(said, trace["before"], trace["data"], good, beta).mean(1)
        means = {"moved": _mean((said.detach() - trace["before"]).flatten(1).square().mean(1), known)}
        if anchor:
            theirs = through.reference.denoised(rollouts, trace["at"]).detach()
            apart = (said - theirs).double().flatten(1).square().mean(1)
            losses = losses + anchor * apart
            means["anchor"] = _mean(apart.detach(), known)
        return Total(torch.where(known, losses, 0).sum(), known.sum(), means)

    drawn = renoised(levels, per_batch(group_mean_batch_std), partial(optimality, largest=largest))
    return Method(
        advantage=uniform,
        updates=(Update(loss),),
        collect=Slowly(drawn, rate, most) if rate else drawn,
        reference=anchor > 0,
        pathwise=True,
        epochs=epochs,
        minibatches=minibatches,
        min_group=2,
        needs=(Denoising,),
    )


def _mean(values, known):
    return torch.where(known, values, 0).sum(), known.sum()
