"""A model that knows nothing: networks side by side that predict how an observation changes. Chua et al. 2018,
arXiv:1805.12114 (PETS), as in MBPO (arXiv:1906.08253).

E members, N rows, O and A numbers of an observation and an action.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rlft.environments.mechanics import Scored
from rlft.environments.protocol import Box, Environment
from rlft.offpolicy.critics import Ensemble
from rlft.types import UserError
from rlft.worldmodels.protocol import Paths, Predicted

# Logarithms of the least and the largest variance, of changes in units of their own deviation.
LEAST, MOST = -10.0, 1.0


class BlackBox(nn.Module):
    """o' = o + deviation_Δ · N(mean_e(o, a), variance_e(o, a)), e one of E members, drawn anew at each step.

        loss = Σ_E mean 1/2 ((Δ - mean)² / variance + log variance) + cross-entropy of the end

    All members see the same steps and differ by their weights' starts. Its state is what is seen. Without noise a step
    takes the mean of the members' means. Rewards and ends are the world's known functions where it has them
    (`environments.mechanics.Scored`); elsewhere the networks predict them too, the reward as one more number, and the
    end where its logit is above 0 on average. A step leads no further than what was seen, and its span again on either
    side, so that long rollouts of a young model do not run away.
    """

    def __init__(self, world: Environment, hidden: Sequence[int], members: int, seed: int) -> None:
        super().__init__()
        if not isinstance(world.action, Box):
            raise UserError(f"{world.name} has a list of actions; a world model takes continuous ones")
        self.known = world if isinstance(world, Scored) else None
        self.space: Box = world.action
        self.size = world.observation_size
        self.outputs = self.size + (0 if self.known else 1)
        last = 2 * self.outputs + (0 if self.known else 1)
        self.nets = Ensemble([self.size + world.action.size, *hidden, last], members, seed)
        self.mean: Tensor
        self.deviation: Tensor
        self.centre: Tensor
        self.spread: Tensor
        for name, numbers in (("mean", self.size), ("centre", self.outputs)):
            self.register_buffer(name, torch.zeros(numbers))
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.full((self.size,), -torch.inf))
        self.register_buffer("high", torch.full((self.size,), torch.inf))
        for name, numbers in (("deviation", self.size), ("spread", self.outputs)):
            self.register_buffer(name, torch.ones(numbers))

    @property
    def noise_size(self) -> int:
        """One to choose a member by, and one for each number that is predicted."""
        return 1 + self.outputs

    def start(self, observation: Float[Tensor, "N O"]) -> Float[Tensor, "N O"]:
        """What is seen is the state."""
        return observation

    def observe(self, state: Float[Tensor, "N O"]) -> Float[Tensor, "N O"]:
        """The state is what is seen."""
        return state

    def predicted(
        self, seen: Float[Tensor, "N O"], action: Float[Tensor, "N A"]
    ) -> tuple[Float[Tensor, "E N F"], Float[Tensor, "E N F"], Float[Tensor, "E N _"]]:
        """Of each member: means and log-variances in standard units, and the logit of the end where it is learned."""
        scaled = (seen - self.mean.to(seen)) / self.deviation.to(seen)
        out = self.nets(torch.cat([scaled, self.space.unit(self.space.clip(action)).to(seen)], dim=-1))
        mean, log_variance, end = out.split([self.outputs, self.outputs, out.shape[-1] - 2 * self.outputs], dim=-1)
        # soft bounds, inside which a gradient is never nothing (PETS, App. A.1)
        log_variance = MOST - functional.softplus(MOST - log_variance)
        return mean, LEAST + functional.softplus(log_variance - LEAST), end

    def step(
        self, state: Float[Tensor, "N O"], action: Float[Tensor, "N A"], noise: Float[Tensor, "N W"] | None = None
    ) -> Predicted:
        """What is seen next."""
        mean, log_variance, end = self.predicted(state, action)
        if noise is None:
            change = mean.mean(dim=0)
        else:
            share = 0.5 * (1 + torch.erf(noise[:, 0] / math.sqrt(2)))
            member = (share * len(mean)).long().clamp(max=len(mean) - 1)
            row = torch.arange(len(state), device=state.device)
            spread = (0.5 * log_variance[member, row]).exp()
            change = mean[member, row] + spread * noise[:, 1:].to(mean)
        change = self.centre.to(change) + self.spread.to(change) * change
        after = torch.clamp(state + change[:, : self.size], self.low.to(state), self.high.to(state))
        if self.known is not None:
            return Predicted(after, self.known.reward(state, action, after), self.known.ended(after))
        return Predicted(after, change[:, -1], end.mean(dim=0)[:, 0] > 0)

    def loss(self, paths: Paths) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Of every valid step of the stretches, each by itself."""
        on = paths.valid
        seen, action = paths.observations[:, :-1][on], paths.actions[on]
        mean, log_variance, end = self.predicted(seen, action)
        off = (self._changes(paths)[on] - self.centre) / self.spread - mean
        loss = 0.5 * (off.square() * (-log_variance).exp() + log_variance).mean(dim=(1, 2)).sum()
        if self.known is None:
            target = paths.terminated[on].to(end).expand(end.shape[:2])
            each = functional.binary_cross_entropy_with_logits(end[..., 0], target, reduction="none")
            loss = loss + each.mean(dim=1).sum()
        return loss, {"model/rms": (off.detach() * self.spread).square().mean().sqrt()}

    def standardise(self, paths: Paths) -> None:
        """Means and deviations of observations and of their changes."""
        seen, changes = paths.observations[:, 0], self._changes(paths)[:, 0]
        for values, mean, deviation in ((seen, self.mean, self.deviation), (changes, self.centre, self.spread)):
            mean.copy_(values.mean(dim=0))
            deviation.copy_(values.std(dim=0, correction=0).clamp(min=1e-3))
        low, high = seen.amin(dim=0), seen.amax(dim=0)
        self.low.copy_(2 * low - high)
        self.high.copy_(2 * high - low)

    def _changes(self, paths: Paths) -> Float[Tensor, "N H F"]:
        changes = paths.observations.diff(dim=1)
        return changes if self.known is not None else torch.cat([changes, paths.rewards[..., None]], dim=-1)
