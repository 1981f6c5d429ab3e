"""SAC: soft actor-critic. Haarnoja et al. 2018, arXiv:1812.05905, Alg. 1, with its automatic temperature.

Learns from a buffer (`offpolicy.Learner`). Discrete actions are summed over and not drawn (arXiv:1910.07207).

    V(s')  = E_π [min_e Q̄_e(s', a') - alpha log π(a'|s')]
    critic loss = Σ_e mean 1/2 (Q_e(s, a) - r - gamma (1 - terminated) V(s'))²
    loss   = mean E_π [alpha log π(a|s) - min_e Q_e(s, a)]
    alpha: grows while the entropy is below its target

With critics=10, subset=2 and several updates a step it is REDQ (arXiv:2101.05982), but for its actor's mean.
"""

import torch

from rlft.offpolicy.actors import reparameterised, usual_entropy
from rlft.offpolicy.critics import Norm, plain
from rlft.offpolicy.dual import Dual
from rlft.offpolicy.method import Descent, Fit, OffPolicy, critic_parameters
from rlft.offpolicy.values import Aggregate, least, soft_value, squared_error, td_target
from rlft.types import published
from rlft.types.acting import Reparameterised


@published
def sac(
    gamma: float = 0.99,
    tau: float = 0.005,
    alpha: float = 1.0,
    alpha_lr: float = 3e-4,
    entropy: float | None = None,
    critics: int = 2,
    subset: int | None = None,
    actor: Aggregate | None = None,
    actor_every: int = 1,
    backed_up: float = 1.0,
    steps: int = 1,
    norm: Norm = plain,
) -> OffPolicy:
    """SAC.

    Args:
        gamma: discount of each environment step.
        tau: how far the target critics move at each update.
        alpha: where the temperature starts, reward per nat.
        alpha_lr: the temperature's own learning rate; 0 keeps it.
        entropy: least entropy of a decision, nats; None is `usual_entropy` of the space.
        critics: members of the ensemble.
        subset: members whose least value is the target, drawn anew at each update; None is all.
        actor: what the policy makes of the members' opinions; None is their least.
        actor_every: updates of the critics for one of the policy.
        backed_up: share of the entropy in the targets: 0 learns the value of rewards alone, as WSRL does.
        steps: of the windows that targets sum rewards over.
        norm: of the critics' hidden layers.
    """

    def critic_loss(agent, batch, generator) -> Fit:
        with torch.no_grad():
            ahead = agent.policy.candidates(batch.next_observation, 1, generator)
            q = least(subset)(agent.q_target.of(batch.next_observation, ahead.action), generator)
            target = td_target(batch, soft_value(ahead, q, backed_up * agent.weight("alpha")), gamma)
        q = agent.q(batch.observation, batch.action)
        return Fit(squared_error(q, target), {"q": q.detach().mean(), "target": target.mean()})

    def actor_loss(agent, batch, generator) -> Fit:
        return reparameterised(agent, batch, generator, actor or least(), agent.weight("alpha"))

    def temperature(space, chunk) -> Dual:
        return Dual.at_least(usual_entropy(space, chunk) if entropy is None else entropy, alpha, alpha_lr)

    return OffPolicy(
        descents=(
            Descent(critic_loss, critic_parameters, "critic"),
            Descent(actor_loss, every=actor_every),
        ),
        critics=critics,
        norm=norm,
        steps=steps,
        tau=tau,
        duals={"alpha": temperature},
        needs=(Reparameterised,),
    )
