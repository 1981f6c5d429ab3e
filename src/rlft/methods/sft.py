"""Supervised fine-tuning: the problems' answers are demonstrations, and the policy's own supervised loss is minimised.

For a language policy the loss of a decision is -log p of the answer's token; for a denoiser its denoising error; for
control the negative log-likelihood of the demonstrated action. No reward is read.

    loss = 1/(sum_i |i|) sum_i sum_d loss_on(d)
"""

from rlft.advantages import uniform
from rlft.collect import demonstrations
from rlft.losses.surrogate import token_mean
from rlft.types import Method, Teachable, Total, Update, published


@published
def sft(epochs: int = 1, minibatches: int = 1) -> Method:
    """Supervised fine-tuning.

    Args:
        epochs: passes over each batch of demonstrations.
        minibatches: optimiser steps in each pass.
    """

    def loss(policy, rollouts) -> Total:
        return token_mean(policy.loss_on(rollouts), rollouts.mask)

    return Method(
        advantage=uniform,
        updates=(Update(loss),),
        collect=demonstrations,
        epochs=epochs,
        minibatches=minibatches,
        needs=(Teachable,),
    )
