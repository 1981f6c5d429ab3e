"""InT: self-proposed interventions, then reinforcement learning. Yang et al. 2026, arXiv:2601.14209.

For `taught` steps the model is shown a failed row y of a question that none of its rows solves, and the reference, and
proposes one step c in place of the first wrong one, t. The row up to there and c are imitated, with nothing after them,
by an optimiser of their own; from then on it is `grpo`.

    loss/demonstrations  = 1/(sum of lengths) sum over corrections, d in (y_<t, c) of loss_on(d)     in the first stage
    loss                 = GRPO's                                                                    in the second

Differs from `sft_grpo` in what is imitated: not the reference but the model's own row, up to its mistake. The authors
collect all corrections from the base before they imitate any, for four epochs, and keep those of which one of 32
continuations is right (`tried`). taught=0 is `grpo`, draw for draw.
"""

from dataclasses import replace

from rlft.collect.interventions import ASKED, Prefix, Wording, interventions, proposed
from rlft.methods.relift import relift
from rlft.types import Checking, Method, Resumable, Teachable, published


@published
def int_grpo(
    taught: int,
    asked: str = ASKED,
    between: str = "\n\n",
    concluding: str = "\\boxed",
    prefix: Prefix = "learned",
    tried: int = 0,
    solved: float = 1.0,
    demonstration_lr: float = 1.0,
    clip: float = 0.2,
    beta: float = 0.0,
) -> Method:
    """InT, then GRPO.

    Args:
        taught: steps of the first stage; each draws its groups as the others do, and corrects one row of each that has
            no right one.
        asked: how a correction is asked for; {prompt}, {reference}, {attempt} and {steps}, which are numbered, stand
            for what they say. The reply's last line `Step 3: …` is read.
        between: what ends a step.
        concluding: a correction with this in it gives the answer away and is left out; empty for none.
        prefix: whether the steps before a correction are imitated too, as published, or only stand before it.
        tried: continuations of a correction that are drawn, one of which has to be right; 0 asks for none.
        solved: the reward from which a row has solved its question.
        demonstration_lr: the learning rate of imitation, in units of the policy's.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, the model before both stages, per decision; 0 needs no reference.
    """
    propose = proposed(Wording(asked, between, concluding))
    needs = (Teachable, *((Checking,) if taught else ()), *((Resumable,) if taught and tried else ()))
    collect = interventions(taught, propose, prefix, tried, solved)
    return replace(relift(demonstration_lr=demonstration_lr, clip=clip, beta=beta), collect=collect, needs=needs)
