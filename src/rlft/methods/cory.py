"""CORY: cooperative reinforcement learning of two. Ma et al. 2024, arXiv:2410.06101, Sec. 3 and Alg. 1.

Two copies of a model learn together. A pioneer answers the question, an observer answers the question with the
pioneer's answer before it, both are paid for both answers, and every few steps they exchange roles. Each member is
trained as `ppo` trains a policy, with a critic, an optimiser and a reference of its own. Either is deployed alone.

    y1 ~ pioneer(. | q),   y2 ~ observer(. | q, y1),   R = r(q, y1) + r(q, y2)
    r_d  = R at the last decision of each answer - beta log(pi_old/pi_ref), in the member's own context
    A_d  = GAE(gamma, lam) of r and V in each answer alone, whitened over all answers of the role
    loss = mean_d -min(r A_d, clip(r, 1-clip, 1+clip) A_d)                           and a value loss, for each member

The policy is a `policies.composed.pair.Pair`, the reward `rewards.pairs.both` of the reward for one. With `pairs.own`,
every=0 and an observer that does not see the pioneer it is `ppo` twice, side by side. Differs from the official
code in that beta is constant (there a controller steers it to a KL), that R is scaled by the whitening alone, and that
optimisers keep their state at an exchange, where the code loads both models into new trainers.
"""

from collections.abc import Callable
from dataclasses import replace

from rlft.advantages.turns import each_turn
from rlft.collect.exchange import exchange
from rlft.methods.ppo import ppo
from rlft.types import Exchanging, Loss, Method, Rollouts, Total, Update, published


@published
def cory(
    every: int = 5,
    clip: float = 0.2,
    value_clip: float = 0.2,
    gamma: float = 1.0,
    lam: float = 0.95,
    beta: float = 0.1,
    value_lr: float = 1.0,
    epochs: int = 4,
    minibatches: int = 1,
) -> Method:
    """CORY.

    Args:
        every: steps between two exchanges of roles; 0 never exchanges them.
        clip: how far the ratio may move from 1.
        value_clip: how far a critic may move from its old value before its gradient stops, in units of reward.
        gamma: discount of each decision.
        lam: GAE's mixing.
        beta: weight of each member's KL to its reference in its reward, nats; 0 needs no reference.
        value_lr: the critics' learning rate, in units of the policies'.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    alone = ppo(clip, value_clip, gamma, lam, beta, value_lr, epochs, minibatches)
    first, second = ([_of(member, update) for update in alone.updates] for member in (0, 1))
    second = [replace(update, name=f"{update.name}/second") for update in second]
    return replace(
        alone,
        advantage=each_turn(alone.advantage),
        updates=(*first, *second),
        collect=exchange(every),
        needs=(Exchanging,),
    )


def _of(member: int, update: Update) -> Update:
    """An update of one policy as that of one member of a pair."""
    loss: Loss = update.loss
    parameters: Callable = update.parameters

    def of_member(pair: Exchanging, rollouts: Rollouts) -> Total:
        return loss(pair.members[member], pair.own(member, rollouts))

    return replace(update, loss=of_member, parameters=lambda pair: parameters(pair.members[member]))
