"""CQL: conservative Q-learning. Kumar et al. 2020, arXiv:2006.04779, Eq. 4 (CQL(H)) and App. F.

`sac`, whose critics are also pushed down where nobody acted and up on the buffer's own actions. Learns from a buffer.

    critic loss = Σ_e mean [1/2 (Q_e(s, a) - y)² + w C_e]
    C_e  = log ∫ exp Q_e(s, ·) - Q_e(s, a)       estimated with n uniform actions, n of π(s) and n of π(s')
    y    = r + gamma (1 - terminated) max of n a' ~ π(s') of min_e Q̄_e(s', a')
    loss = mean E_π [alpha log π(a|s) - min_e Q_e(s, a)]

weight=0 with n=1 is SAC without entropy in its targets. With discrete actions the integral is a sum, and exact.
"""

import torch

from rlft.methods.sac import sac
from rlft.offpolicy.conservative import Judge, as_they_are, gap_of
from rlft.offpolicy.critics import Norm, plain
from rlft.offpolicy.dual import Dual
from rlft.offpolicy.method import Descent, Fit, OffPolicy, critic_parameters
from rlft.offpolicy.values import best_value, least, squared_error, td_target
from rlft.types import published
from rlft.types.acting import Reparameterised


@published
def cql(
    weight: float = 5.0,
    gap: float | None = None,
    weight_lr: float = 3e-4,
    n: int = 10,
    gamma: float = 0.99,
    tau: float = 0.005,
    alpha: float = 1.0,
    alpha_lr: float = 3e-4,
    critics: int = 2,
    subset: int | None = None,
    steps: int = 1,
    norm: Norm = plain,
    own: Judge = as_they_are,
) -> OffPolicy:
    """CQL.

    Args:
        weight: of the conservative term, or where it starts.
        gap: mean conservative term above which the weight grows (the Lagrange form); None keeps the weight.
        weight_lr: the weight's own learning rate, with a gap.
        n: actions of each kind in the conservative term, and in the backup.
        gamma: discount of each environment step.
        tau: how far the target critics move at each update.
        alpha: where the temperature starts, reward per nat.
        alpha_lr: the temperature's own learning rate; 0 keeps it.
        critics: members of the ensemble.
        subset: members whose least value is the target, drawn anew at each update; None is all.
        steps: of the windows that targets sum rewards over.
        norm: of the critics' hidden layers.
        own: what the values of the policy's own actions count as when they are pushed down.
    """

    def critic_loss(agent, batch, generator) -> Fit:
        with torch.no_grad():
            ahead = agent.policy.candidates(batch.next_observation, n, generator)
            q = least(subset)(agent.q_target.of(batch.next_observation, ahead.action), generator)
            target = td_target(batch, best_value(q), gamma)
        q = agent.q(batch.observation, batch.action)
        apart = gap_of(agent, batch, q, ahead, n, own, generator).mean(dim=1)
        loss = squared_error(q, target) + agent.weight("conservatism") * apart.sum()
        notes = {"q": q.detach().mean(), "target": target.mean(), "gap": apart.detach().mean()}
        return Fit(loss, notes, {"conservatism": apart.mean()})

    def conservatism(space, chunk) -> Dual:
        return Dual.at_most(gap or 0.0, weight, 0.0 if gap is None else weight_lr)

    soft = sac(gamma=gamma, tau=tau, alpha=alpha, alpha_lr=alpha_lr, critics=critics)
    return OffPolicy(
        descents=(Descent(critic_loss, critic_parameters, "critic"), soft.descents[1]),
        critics=critics,
        norm=norm,
        steps=steps,
        tau=tau,
        gamma=gamma,
        duals={**soft.duals, "conservatism": conservatism},
        needs=(Reparameterised,),
    )
