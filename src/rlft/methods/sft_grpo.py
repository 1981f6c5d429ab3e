"""Supervised fine-tuning, then GRPO: the usual two stages, in one run.

For `taught` steps demonstrations are imitated as in `sft`, by an optimiser of their own; from then on it is `grpo`.

    loss/demonstrations  = 1/(sum of lengths) sum over demonstrations, d of loss_on(d)       in the first stage
    loss                 = GRPO's                                                            in the second

Differs from `relift` in which questions are demonstrated, any, and when, before. taught=0 is `grpo`, draw for draw.
"""

from dataclasses import replace

from rlft.collect.taught import taught_first
from rlft.methods.relift import relift
from rlft.types import Method, published


@published
def sft_grpo(
    taught: int, size: int | None = None, demonstration_lr: float = 1.0, clip: float = 0.2, beta: float = 0.0
) -> Method:
    """Supervised fine-tuning, then GRPO.

    Args:
        taught: steps of the first stage.
        size: demonstrations in each of them; none is as many as a step has problems.
        demonstration_lr: the learning rate of imitation, in units of the policy's.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, the model before both stages, per decision; 0 needs no reference.
    """
    return replace(relift(demonstration_lr=demonstration_lr, clip=clip, beta=beta), collect=taught_first(taught, size))
