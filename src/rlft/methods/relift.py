"""ReLIFT: reinforcement learning interleaved with fine-tuning online. Ma et al. 2025, arXiv:2506.07527, Algorithm 1.

`grpo`, and demonstrations of the questions that no rollout solves, from which a group baseline learns nothing. They
wait in a buffer; when it is full they are imitated once, by an optimiser of their own.

    loss                 = GRPO's over the rows that were drawn
    loss/demonstrations  = 1/(sum of lengths) sum over demonstrations, d of loss_on(d)       when the buffer is full

The authors' code runs GRPO without the group's deviation, without the clip and with a constant length, and adds a small
entropy bonus to both losses. A buffer that never fills is `grpo`, draw for draw.
"""

from dataclasses import replace

from rlft.advantages.demonstrated import beside_demonstrations
from rlft.collect.hardest import Hardest
from rlft.losses.surrogate import of_demonstrated, of_drawn, token_mean
from rlft.methods.grpo import grpo
from rlft.types import Method, Teachable, Total, Update, published


@published
def relift(
    size: int | None = None,
    solved: float = 1.0,
    formed: float = -float("inf"),
    demonstration_lr: float = 1.0,
    clip: float = 0.2,
    beta: float = 0.0,
) -> Method:
    """ReLIFT.

    Args:
        size: questions that are demonstrated together, once so many wait; none is as many as a step has.
        solved: the reward from which a row has solved its question.
        formed: the least reward of a wrong but well-formed row; groups with rows below are not demonstrated.
        demonstration_lr: the learning rate of imitation, in units of the policy's.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
    """

    def imitation(policy, rollouts) -> Total:
        return token_mean(policy.loss_on(rollouts), rollouts.mask)

    drawn = grpo(clip, beta)
    taught = Update(of_demonstrated(imitation), name="demonstrations", lr=demonstration_lr)
    return replace(
        drawn,
        advantage=beside_demonstrations(drawn.advantage),
        updates=(*(replace(update, loss=of_drawn(update.loss)) for update in drawn.updates), taught),
        collect=Hardest(size, solved, formed),
        needs=(Teachable,),
    )
