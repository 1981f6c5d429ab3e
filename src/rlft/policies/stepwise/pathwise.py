"""The gradient of a sample with respect to the weights that drew it: its last steps, taken again with a graph.

A step is a differentiable function of the state before it and of noise that belongs to the row, so taking steps again
gives the same states and their gradient (the pathwise derivative, or reparameterisation). Where the graph begins, the
state is the one that was kept: earlier steps have none, which is truncated backpropagation. What is differentiated, a
reward say, is not known here; nor are states that are letters, through which nothing can be differentiated.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.noise import LOSS, forked, normal
from rlft.policies.stepwise.stepwise import Stepwise
from rlft.types import Rollouts


class Continuous(Stepwise):
    """A step-wise policy whose states are numbers and whose steps are Gaussians: `types.Pathwise`."""

    @abstractmethod
    def foresee(self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Tensor) -> tuple[Any, Tensor]:
        """How step k leads on from states x, and x̂0, the last state predicted there."""

    @abstractmethod
    def says(self, x: Float[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Tensor) -> Float[Tensor, "M *S"]:
        """What the network says of states x before step k, guided: the velocity of a flow."""

    @abstractmethod
    def seen(self, x: Float[Tensor, "N *S"]) -> Tensor:
        """`decode` with a graph."""

    @abstractmethod
    def levels(self, k: int) -> tuple[Tensor, Tensor]:
        """(α, σ), the weights of data and noise before step k."""

    def redrawn(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Any:
        """The rows' outputs, with a graph of their steps from `since` (0 to D) on; in value those that were drawn,
        as long as the weights are. A row with since = D has no graph."""
        condition, keys, since = self.told(rollouts), rollouts.trace["key"], since.to(self.device)
        x = _begun(rollouts, since)
        for k in range(int(since.min()), self.steps):
            going = (since <= k).nonzero()[:, 0]
            ahead = self.step(x[going], torch.full_like(going, k), condition[going])
            noisy = bool(ahead.stochastic.any())
            after = ahead.draw(ahead.noise(keys[going], k)) if noisy else ahead.mean
            x = after if len(going) == len(x) else x.index_copy(0, going, after)
        return self.seen(x)

    def foreseen(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Any:
        """The outputs that the network predicts from the rows' states before step `since` (0 to D - 1), x̂0 decoded,
        with a graph of that one call."""
        since = since.to(self.device)
        return self.seen(self.foresee(_begun(rollouts, since), since, self.told(rollouts))[1])

    def noised_again(self, rollouts: Rollouts, copies: int) -> Rollouts:
        """`copies` rows of each, whose state before the last step is α·x0 + σ·z of the row's own x0 and new noise z.

        What DRaFT-LV takes the last step from (Clark et al. 2023, arXiv:2309.17400). A row's copies follow each other.
        """
        many = rollouts[torch.arange(len(rollouts)).repeat_interleave(copies)]
        keys, last = self._forked(rollouts, copies), torch.full((len(many),), self.steps - 1, device=self.device)
        states = many.trace["states"].clone()
        states[:, -2] = self._noised(many.trace["data"], keys, last)
        return replace(many, trace={**many.trace, "states": states, "key": keys})

    def denoised(self, rollouts: Rollouts, at: Int[Tensor, "N L"]) -> Float[Tensor, "N L *S"]:
        """x̂0 of α·x0 + σ·z, the row's own x0 noised anew to the levels before the steps `at`: `types.Denoising`."""
        flat, levels = at.to(self.device).flatten(), at.shape[1]
        data, condition = (one.repeat_interleave(levels, 0) for one in (rollouts.trace["data"], self.told(rollouts)))
        x = self._noised(data, self._forked(rollouts, levels), flat)
        return self.foresee(x, flat, condition)[1].unflatten(0, at.shape)

    @staticmethod
    def _forked(rollouts: Rollouts, count: int) -> Int[Tensor, "M"]:
        """`count` keys out of each row's, which follow each other."""
        return forked(rollouts.trace["key"], count).flatten()

    def _noised(self, data: Float[Tensor, "M *S"], keys: Int[Tensor, "M"], at: Int[Tensor, "M"]) -> Tensor:
        """α·x0 + σ·z of the levels before the steps `at`, with the keys' noise."""
        wide = (len(at), *[1] * (data.ndim - 1))
        alpha, sigma = (weight[at].to(data).reshape(wide) for weight in self._schedule(data.device))
        return alpha * data + sigma * normal(keys, 1, data.shape[1:], LOSS)[:, 0].to(data)

    def _schedule(self, device: torch.device) -> tuple[Float[Tensor, "K1"], Float[Tensor, "K1"]]:
        """α and σ before each step and after the last, float64."""
        pairs = [[float(weight) for weight in self.levels(k)] for k in range(self.steps + 1)]
        alpha, sigma = torch.tensor(pairs, dtype=torch.float64, device=device).unbind(1)
        return alpha, sigma

    def displaced(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """mean z·(μ - μ_old) of the steps on the mask: the step taken again with its own noise z, less that which was
        taken, where no rule's std depends on the weights. `types.Displaced`."""
        states, keys, condition = rollouts.trace["states"], rollouts.trace["key"], self.told(rollouts)
        found = rollouts.mask.new_zeros(rollouts.mask.shape, dtype=torch.float64)
        for k in range(self.steps):
            rows = rollouts.mask[:, k].nonzero()[:, 0]
            if not len(rows):
                continue
            ahead = self.step(states[rows, k], torch.full_like(rows, k), condition[rows])
            z = ahead.noise(keys[rows], k)
            moved = (ahead.draw(z) - states[rows, k + 1]).double()
            found = found.index_put((rows, torch.full_like(rows, k)), (z * moved).flatten(1).mean(1))
        return found

    def spans(self) -> Float[Tensor, "D"]:
        """σ before each step less σ after it, float64."""
        sigma = self._schedule(torch.device("cpu"))[1]
        return sigma[:-1] - sigma[1:]

    def predicted(self, rollouts: Rollouts, since: Int[Tensor, "N"]) -> Float[Tensor, "N D *S"]:
        """What the network says at the states that were visited, which are given: before each step from `since` on,
        and 0 before."""
        steps = torch.arange(self.steps, device=self.device)
        rows, slots = (steps >= since.to(self.device)[:, None]).nonzero(as_tuple=True)
        states = rollouts.trace["states"]
        said = self.says(states[rows, slots], slots, self.told(rollouts)[rows])
        return torch.zeros_like(states[:, :-1]).index_put((rows, slots), said)


def _begun(rollouts: Rollouts, since: Int[Tensor, "N"]) -> Float[Tensor, "N *S"]:
    """The states that were kept before step `since`."""
    states = rollouts.trace["states"]
    return states[torch.arange(len(states), device=states.device), since]
