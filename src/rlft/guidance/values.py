"""What a half-made sample is worth: the values that steer `guidance.samplers`. Nothing here draws a sample.

The value that would steer perfectly is v(x) = α·log E[exp(r/α) | x] (arXiv:2408.08252, Eq. 3). Two stand-ins:

    Predicted   r(x̂0(x)): the reward of the sample predicted from x; needs no training ("SVDD-PM")
    Regressed   a critic fitted to r by least squares over rollouts, so E[r | x] ("SVDD-MC"); see `fit`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from rlft.policies.stepwise.stepwise import Ahead, Foresees
from rlft.training.score import score
from rlft.types import Problem, Reward, Sampler, UserError


@dataclass
class Spent:
    """What rollouts have cost, summed over rows: calls of the policy's network (one row, one step), of a critic, of
    the reward, and the rows that came out."""

    network: int = 0
    critic: int = 0
    reward: int = 0
    rows: int = 0

    def per_row(self) -> dict[str, float]:
        """`calls` (network and critic), `calls/network`, `calls/critic` and `calls/reward` for each row."""
        rows = max(self.rows, 1)
        each = {"network": self.network / rows, "critic": self.critic / rows, "reward": self.reward / rows}
        both = each["network"] + each["critic"]
        return {"calls": both, **{f"calls/{name}": count for name, count in each.items()}}


@dataclass(frozen=True)
class Halfway:
    """M states before step k; k = K means that they are last states.

    `look()` asks the network how step k leads on from them and what they are likely to end with, and counts it.
    """

    policy: Foresees
    problems: Sequence[Problem]
    x: Shaped[Tensor, "M *S"]
    k: int
    condition: Tensor
    spent: Spent

    @property
    def over(self) -> bool:
        """Whether nothing is left to decide."""
        return self.k == self.policy.steps

    def look(self) -> tuple[Ahead, Shaped[Tensor, "M *S"]]:
        """The distribution of the next states, and the last states predicted."""
        self.spent.network += len(self.x)
        k = torch.full((len(self.x),), self.k, device=self.x.device)
        return self.policy.foresee(self.x, k, self.condition)

    def rewarded(self, reward: Reward, x: Shaped[Tensor, "M *S"]) -> Float[Tensor, "M"]:
        """The reward of last states; NaN where it cannot score."""
        self.spent.reward += len(x)
        return score(reward, self.problems, self.policy.decode(x)).total.to(x.device)


@runtime_checkable
class Value(Protocol):
    """What states are worth [M], in the reward's unit; NaN is worse than anything. Also how step k leads on from them,
    if that had to be asked, so that nobody asks twice."""

    def __call__(self, states: Halfway) -> tuple[Float[Tensor, "M"], Ahead | None]: ...


@dataclass(frozen=True)
class Predicted:
    """r(x̂0(x)); at the end the reward itself. One call of the network and one of the reward for each state."""

    reward: Reward

    def __call__(self, states: Halfway) -> tuple[Float[Tensor, "M"], Ahead | None]:
        """The reward of what is predicted."""
        if states.over:
            return states.rewarded(self.reward, states.x), None
        ahead, likely = states.look()
        return states.rewarded(self.reward, likely), ahead


@dataclass(frozen=True)
class Regressed:
    """offset + scale·critic(x, 1 - k/K, condition); at the end the reward itself."""

    critic: nn.Module
    reward: Reward
    offset: float = 0.0
    scale: float = 1.0

    @torch.no_grad()
    def __call__(self, states: Halfway) -> tuple[Float[Tensor, "M"], Ahead | None]:
        """What the critic says."""
        if states.over:
            return states.rewarded(self.reward, states.x), None
        states.spent.critic += len(states.x)
        t = torch.full((len(states.x),), 1 - states.k / states.policy.steps, device=states.x.device)
        return self.offset + self.scale * _said(self.critic, states.x, t, states.condition), None


def _said(critic: nn.Module, x: Shaped[Tensor, "B *S"], t: Float[Tensor, "B"], condition: Tensor) -> Float[Tensor, "B"]:
    """The critic computes in the type of its weights."""
    like = next(critic.parameters(), t)
    return critic(x.to(like) if x.is_floating_point() else x, t.to(like), condition)


def fit(
    critic: nn.Module,
    policy: Sampler,
    problems: Sequence[Problem],
    group: int,
    reward: Reward,
    *,
    iterations: int = 500,
    batch: int = 256,
    lr: float = 2e-3,
    seed: int = 0,
) -> Regressed:
    """Fit a critic `(x, t, condition) -> [N]` to the rewards of `group` of the policy's own rollouts of each problem.

    Least squares over all their states (Algorithm 4 of arXiv:2408.08252), so v(x) = E[r | x], below the soft value by
    about Var[r | x]/2α. Adam, rate `lr` to 0 along a cosine; rewards are standardised. `seed` is that of rollouts and
    minibatches; rows without a reward are left out. UserError if no two rewards differ.
    """
    with torch.no_grad():
        rows = policy.sample(problems, group, seed)
        earned = score(reward, rows.problems, rows.outputs).total.to(rows.mask.device)
    known = ~earned.isnan()
    states, condition, earned = rows.trace["states"][known], rows.trace["condition"][known], earned[known]
    if not len(earned) or bool((earned == earned[0]).all()):
        raise UserError(f"{len(earned)} rollouts earned no two different rewards: there is nothing to fit a value to")
    offset, scale = float(earned.mean()), float(earned.std())
    draws, optimiser = torch.Generator().manual_seed(seed), torch.optim.Adam(critic.parameters(), lr=lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    steps = states.shape[1] - 1
    for _ in range(iterations):
        i = torch.randint(len(states), (batch,), generator=draws).to(states.device)
        k: Int[Tensor, "B"] = torch.randint(steps, (batch,), generator=draws).to(states.device)
        error = _said(critic, states[i, k], 1 - k / steps, condition[i]) - (earned[i] - offset) / scale
        optimiser.zero_grad()
        error.square().mean().backward()
        optimiser.step()
        falling.step()
    return Regressed(critic.requires_grad_(False), reward, offset, scale)
