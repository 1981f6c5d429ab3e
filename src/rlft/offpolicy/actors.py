"""How a policy learns from critics: losses of actor steps. Critics are read and never moved here.

E members, B states, n proposals in each.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rlft.environments.protocol import Box, Discrete, Space
from rlft.offpolicy.buffer import Batch
from rlft.offpolicy.method import Agent, Descent, Fit, OffPolicy
from rlft.offpolicy.values import Aggregate, soft_value
from rlft.types.acting import Acting, Central, Imitating


def usual_entropy(space: Space, chunk: int) -> float:
    """A target for the entropy: -1 nat for each continuous number (arXiv:1812.05905, App. D), half of the largest
    entropy for discrete actions."""
    match space:
        case Box():
            return -float(chunk * space.size)
        case Discrete():
            return 0.5 * chunk * math.log(space.n)


def reparameterised(
    agent: Agent, batch: Batch, generator: torch.Generator, aggregate: Aggregate, alpha: Tensor | float, n: int = 1
) -> Fit:
    """loss = mean_B E_π [alpha log π(a|s) - Q(s, a)] (arXiv:1812.05905, Eq. 9), and the entropy for the dual `alpha`.

    The gradient passes through the action of a draw; of a Discrete space the expectation is exact.
    """
    proposed = agent.policy.candidates(batch.observation, n, generator)
    q = aggregate(agent.q.of(batch.observation, proposed.action), generator)
    entropy = -(proposed.log_weight.exp() * proposed.log_prob).sum(dim=1).mean()
    loss = -soft_value(proposed, q, alpha).mean()
    return Fit(loss, {"entropy": entropy.detach()}, {"alpha": entropy})


def followed(agent: Agent, batch: Batch, weight: float, imitation: float = 1.0) -> Fit:
    """TD3+BC (arXiv:2106.06860, Eq. 5): loss = imitation mean_B (π(s) - a)² - lam mean_B Q(s, π(s)).

    lam = weight / mean |Q|, of the first critic, without gradient. weight=0 is imitation
    by squared error. Steps after the window's end have no say.
    """
    action = agent.policy.centre(batch.observation)
    q = agent.q(batch.observation, action)[0]
    on = batch.valid[:, : action.shape[1], None]
    error = torch.where(on, action - batch.action, 0).square().sum(dim=(1, 2)) / (on.sum(dim=1)[:, 0] * action.shape[2])
    lam = weight / q.detach().abs().mean().clamp(min=1e-6)
    return Fit(imitation * error.mean() - lam * q.mean(), {"imitation": error.mean().detach()})


def imitated(
    agent: Agent,
    batch: Batch,
    generator: torch.Generator,
    weight: Float[Tensor, "B"] | None = None,
    action: Num[Tensor, "B h A"] | None = None,
) -> Fit:
    """loss = mean_B w Σ_h l(a_h | s), l the family's own supervised loss, of these actions.

    By default of the buffer's own, and without weights: plain imitation. Steps after the window's end have no say.
    """
    loss = agent.policy.imitation(batch.observation, batch.action if action is None else action, generator)
    loss = torch.where(batch.valid[:, : loss.shape[1]], loss, 0).sum(dim=1)
    weighted = loss if weight is None else loss * weight.detach()
    return Fit(weighted.mean(), {"imitation": loss.mean().detach()})


def imitating(method: OffPolicy) -> OffPolicy:
    """The method before its policy listens to anybody: it imitates the data, and all else learns as it would.

    By squared error where the method follows its policy's centre, else by the family's own loss.
    """

    def loss(agent: Agent, batch: Batch, generator: torch.Generator) -> Fit:
        return followed(agent, batch, 0.0) if Central in method.needs else imitated(agent, batch, generator)

    descents = (replace(one, loss=loss) if one.name == "policy" else one for one in method.descents)
    return replace(method, descents=tuple(descents), needs=(*method.needs, Imitating))


def uncut(descent: Descent) -> Descent:
    """The same loss without the windows at whose end a time limit cut an episode off (LIFT, arXiv:2601.21363).

    What comes after them is unknown, and is then not bootstrapped from. Where every window is such a one, nothing is
    learned. Without any it is the descent itself.
    """

    def loss(agent: Agent, batch: Batch, generator: torch.Generator) -> Fit:
        if not bool(batch.cut.any()):
            return descent.loss(agent, batch, generator)
        if bool(batch.cut.all()):
            fit = descent.loss(agent, batch, generator)
            return fit._replace(loss=0 * fit.loss)
        return descent.loss(agent, batch.of(~batch.cut), generator)

    return replace(descent, loss=loss)


class _Centre:
    """Acts as a policy does without noise."""

    def __init__(self, policy: Central) -> None:
        self.policy, self.chunk = policy, policy.chunk

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D 0"]:
        """None is needed."""
        return torch.zeros(len(keys), len(decisions), 0, device=keys.device)

    def act(self, observation: Float[Tensor, "N O"], noise: Float[Tensor, "N 0"]) -> Num[Tensor, "N h A"]:
        """The decision without noise."""
        return self.policy.centre(observation)


def centred(agent: Agent) -> Acting:
    """The policy without its noise, for `OffPolicy.acting`: the world sees no exploration."""
    return _Centre(agent.policy)


def advantage_weight(advantage: Float[Tensor, "B"], temperature: float, most: float = 100.0) -> Float[Tensor, "B"]:
    """min(exp(temperature A), most) (AWR, arXiv:1910.00177; IQL, arXiv:2110.06169, Eq. 7). temperature=0: all 1."""
    return (temperature * advantage.detach()).clamp(max=math.log(most)).exp()
