"""TD3+BC: offline learning near the data. Fujimoto and Gu 2021, arXiv:2106.06860, Eqs. 3 and 5.

The policy is its action without noise; critics and policy both have slow copies. Learns from a buffer.

    a'   = clip(π̄(s') + clip(N(0, noise²), ±most), ±1)
    critic loss = Σ_e mean 1/2 (Q_e(s, a) - r - gamma (1 - terminated) min_e Q̄_e(s', a'))²
    loss = mean (π(s) - a)² - weight mean Q_1(s, π(s)) / mean |Q_1|            at every second update

imitation=0 and a phase with worlds is TD3 (arXiv:1802.09477), but that its policy explores with its own noise.
"""

import torch

from rlft.offpolicy.actors import followed
from rlft.offpolicy.method import Descent, Fit, OffPolicy, critic_parameters
from rlft.offpolicy.values import least, squared_error, td_target
from rlft.types import published
from rlft.types.acting import Central


@published
def td3_bc(
    weight: float = 2.5,
    imitation: float = 1.0,
    gamma: float = 0.99,
    tau: float = 0.005,
    noise: float = 0.2,
    most: float = 0.5,
    actor_every: int = 2,
    steps: int = 1,
) -> OffPolicy:
    """TD3+BC.

    Args:
        weight: of the critic beside imitation; 0 is imitation alone.
        imitation: of the buffer's actions.
        gamma: discount of each environment step.
        tau: how far the slow copies move, when the policy does.
        noise: standard deviation of the noise on the targets' actions, in units of the space.
        most: where that noise is cut off.
        actor_every: updates of the critics for one of the policy.
        steps: of the windows that targets sum rewards over.
    """

    def critic_loss(agent, batch, generator) -> Fit:
        with torch.no_grad():
            ahead = agent.policy_target.centre(batch.next_observation)
            shaken = noise * torch.randn(ahead.shape, generator=generator, dtype=ahead.dtype).to(ahead.device)
            ahead = (ahead + shaken.clamp(-most, most)).clamp(-1, 1)
            target = td_target(batch, least()(agent.q_target(batch.next_observation, ahead), generator), gamma)
        q = agent.q(batch.observation, batch.action)
        return Fit(squared_error(q, target), {"q": q.detach().mean(), "target": target.mean()})

    def actor_loss(agent, batch, generator) -> Fit:
        return followed(agent, batch, weight, imitation)

    return OffPolicy(
        descents=(
            Descent(critic_loss, critic_parameters, "critic"),
            Descent(actor_loss, every=actor_every),
        ),
        slow_policy=True,
        tau=tau,
        every=actor_every,
        steps=steps,
        needs=(Central,),
    )
