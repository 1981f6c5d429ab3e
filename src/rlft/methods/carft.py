"""CARFT: contrast with annotated chains of thought inside reinforcement learning. Zhu et al. 2025, arXiv:2508.15868.

`ppo`, or `grpo`, and a term that draws what the model embeds of its own chains to what it embeds of annotated ones. z
is the mean of the last hidden states of a chain's tokens, or their mean weighed by softmax of the critic's values.

    L_right = mean over right rows of -log exp(min(cos(z_ann, z_i), most)/T) / sum_j exp(cos(z_ann, z_j)/T)
    L_wrong = mean over wrong rows of -log exp(cos(a_i, c_i)/T) / (exp(1/T) + sum_j exp(cos(c_i, d_j)/T))
    loss    = PPO's, or GRPO's + weight (L_right + L_wrong) / 2

c pools the tokens of a wrong chain that it has in common with the annotated one, d its others, and a the annotated
one's others. A wrong but well formed row earns 0.2 + 0.1 cos(z_ann, z_i). The authors embed by a trained layer of 64 on
the hidden states and end their value head with it; here the states are the model's own. Rows j are those of all
processes, and the gradient that of the drawing policy (`collect.contrast`). weight=0 without `partial` is PPO, or GRPO,
draw for draw.
"""

from dataclasses import replace
from typing import Any, Literal

from rlft.collect.contrast import Partial, Weighing, contrasted
from rlft.losses.contrastive import Contrast, Form, Signal
from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.types import HasStates, Method, Rollouts, Teachable, Total, published


@published
def carft(
    weight: float = 0.1,
    signal: Signal = "both",
    partial: float = 0.1,
    formed: float = 0.1,
    solved: float = 1.0,
    style: Literal["ppo", "grpo"] = "ppo",
    weighing: Weighing = "mean",
    form: Form = "published",
    temperature: float = 0.2,
    most: float = 0.9,
    dropped: float = 0.1,
    clip: float = 0.2,
    beta: float = 0.05,
    epochs: int = 2,
    minibatches: int = 1,
) -> Method:
    """CARFT.

    Args:
        weight: of the contrast; 0 leaves it out. The authors try 0.001, 0.01, 0.1 and 1.
        signal: the contrast of right chains, that of wrong ones, or half of each.
        partial: what a wrong but well formed row earns for being like the annotated chain, times the cosine, over 0.2;
            0 leaves rewards as they are.
        formed: the reward of a wrong but well formed row, at least.
        solved: the reward from which a row is right.
        style: what it is added to.
        weighing: what tokens weigh in a pooled state: all the same, or the softmax of the critic's values (ppo).
        form: of the second contrast, as published or with the pair among its candidates.
        temperature: of both contrasts.
        most: the cosine beyond which a right chain is drawn no further.
        dropped: share of the annotated chain's tokens that are left out at random.
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, nats; 0 needs no reference.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """

    value = ppo(clip=clip, beta=beta, epochs=epochs, minibatches=minibatches)
    start = value if style == "ppo" else grpo(clip, beta, epochs, minibatches)
    policy_update, *others = start.updates

    def loss(policy: Any, rollouts: Rollouts) -> Total:
        total = policy_update.loss(policy, rollouts)
        states = policy.states(rollouts)
        pooled = rollouts.column("pools") @ states
        return total._replace(sum=total.sum + weight * (pooled * rollouts.column("toward")).sum())

    if not weight and not partial:
        return start
    paid = Partial(formed, similar=partial) if partial else None
    counted = "decisions" if style == "ppo" else "rows"
    return replace(
        start,
        collect=contrasted(Contrast(signal, form, temperature, most), weighing, dropped, solved, paid, counted),
        updates=(replace(policy_update, loss=loss), *others) if weight else start.updates,
        needs=(Teachable, HasStates),
    )
