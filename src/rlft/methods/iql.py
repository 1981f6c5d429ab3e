"""IQL: implicit Q-learning. Kostrikov et al. 2021, arXiv:2110.06169, Alg. 1.

No action is ever asked of the critics that is not in the data. Any policy that can be shown what to do learns by it.
Learns from a buffer, also on from there online.

    value loss  = mean |expectile - 1[q < V(s)]| (q - V(s))²,     q = min_e Q̄_e(s, a)
    critic loss = Σ_e mean 1/2 (Q_e(s, a) - r - gamma (1 - terminated) V(s'))²
    loss = mean min(exp(temperature (q - V(s))), most) · l(a | s)

l is the policy's own supervised loss: -log π, a denoising error. temperature=0 is imitation, expectile=0.5 the value
of the policy that made the data.
"""

import torch

from rlft.offpolicy.actors import advantage_weight, imitated
from rlft.offpolicy.method import Descent, Fit, OffPolicy, critic_parameters, value_parameters
from rlft.offpolicy.values import expectile_error, least, squared_error, td_target
from rlft.types import published
from rlft.types.acting import Imitating


@published
def iql(
    expectile: float = 0.7,
    temperature: float = 3.0,
    most: float = 100.0,
    gamma: float = 0.99,
    tau: float = 0.005,
    critics: int = 2,
    steps: int = 1,
) -> OffPolicy:
    """IQL.

    Args:
        expectile: of the values of the data's actions: towards 1 the best of them.
        temperature: how sharply better actions are preferred, nats per reward.
        most: where the weight of a decision is cut off.
        gamma: discount of each environment step.
        tau: how far the target critics move at each update.
        critics: members of the ensemble.
        steps: of the windows that targets sum rewards over.
    """

    def judged(agent, batch, generator) -> torch.Tensor:
        with torch.no_grad():
            return least()(agent.q_target(batch.observation, batch.action), generator)

    def value_loss(agent, batch, generator) -> Fit:
        value = agent.value(batch.observation)
        loss = expectile_error(value, judged(agent, batch, generator), expectile)
        return Fit(loss, {"value": value.detach().mean()})

    def critic_loss(agent, batch, generator) -> Fit:
        with torch.no_grad():
            target = td_target(batch, agent.value(batch.next_observation), gamma)
        q = agent.q(batch.observation, batch.action)
        return Fit(squared_error(q, target), {"q": q.detach().mean()})

    def actor_loss(agent, batch, generator) -> Fit:
        with torch.no_grad():
            advantage = judged(agent, batch, generator) - agent.value(batch.observation)
        return imitated(agent, batch, generator, advantage_weight(advantage, temperature, most))

    return OffPolicy(
        descents=(
            Descent(value_loss, value_parameters, "value"),
            Descent(actor_loss),
            Descent(critic_loss, critic_parameters, "critic"),
        ),
        critics=critics,
        state_value=True,
        tau=tau,
        steps=steps,
        needs=(Imitating,),
    )
