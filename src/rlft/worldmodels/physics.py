"""A physics-informed model: known mechanics are integrated, a network adds the forces that they leave out.

LIFT, arXiv:2601.21363, Sec. 3 and its code. N rows, d coordinates, O and A numbers of an observation and an action.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rlft.environments.mechanics import Mechanics, Scored, difference, integrated
from rlft.models.mlp import MLP
from rlft.worldmodels.protocol import Paths, Predicted

# Logarithms of the least and the largest variance of a state, and of the first: 0.1 of its unit.
LEAST, MOST, FIRST = -14.0, 2.0, -4.6


class Physics(nn.Module):
    """q̈ = M(q)⁻¹ (forces(q, q̇, a) - bias(q, q̇) + f(o, a)), integrated as the world is, and a log-variance of the state.

        (f, s) = network((o - mean) / deviation, a)          s' ~ N(integrated(s, a, f), exp(s))
        loss   = mean over steps and numbers of 1/2 ((s - ŝ)² exp(-log variance) + log variance)

    The loss is over an unrolled stretch: each step starts from the mean of the one before, with its gradient, and
    steps after an episode's end count for nothing. Angles differ the short way round. The network's last layer starts
    at zero, so that the model starts as the mechanics that are known, to the bit.

    world    rewards and ends are its known functions of what is seen
    known    the mechanics: they need not be true
    hidden   layers of the network, of SiLU units
    """

    def __init__(self, world: Scored, known: Mechanics, hidden: Sequence[int], seed: int) -> None:
        super().__init__()
        self.world, self.known, self.d = world, known, len(known.angles)
        zero = torch.zeros(1, 2 * self.d)
        size = known.observe(zero).shape[-1]
        self.net = MLP([size + known.action.size, *hidden, 3 * self.d], seed, 0.0, functional.silu)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    @property
    def noise_size(self) -> int:
        """One for each number of the state."""
        return 2 * self.d

    def start(self, observation: Float[Tensor, "N O"]) -> Float[Tensor, "N S"]:
        """Coordinates and velocities."""
        return self.known.coordinates(observation)

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        """As the world shows them."""
        return self.known.observe(state)

    def external(
        self, seen: Float[Tensor, "N O"], action: Float[Tensor, "N A"]
    ) -> tuple[Float[Tensor, "N d"], Float[Tensor, "N S"]]:
        """The forces that the mechanics leave out, and the log-variance of the next state."""
        scaled = (seen - self.mean.to(seen)) / self.deviation.to(seen)
        out = self.net(torch.cat([scaled, self.known.action.unit(action).to(seen)], dim=-1))
        return out[..., : self.d], (out[..., self.d :] + FIRST).clamp(LEAST, MOST)

    def advance(
        self, state: Float[Tensor, "N S"], action: Float[Tensor, "N A"]
    ) -> tuple[Float[Tensor, "N S"], Float[Tensor, "N S"]]:
        """The mean of the next state, and its log-variance."""
        action = self.known.action.clip(action)
        force, log_variance = self.external(self.observe(state), action)
        return integrated(self.known, state, action, force), log_variance

    def step(
        self, state: Float[Tensor, "N S"], action: Float[Tensor, "N A"], noise: Float[Tensor, "N W"] | None = None
    ) -> Predicted:
        """The next state, drawn from its Gaussian, or its mean."""
        new, log_variance = self.advance(state, action)
        if noise is not None:
            new = new + (0.5 * log_variance).exp() * noise.to(new)
        after = self.observe(new)
        return Predicted(new, self.world.reward(self.observe(state), action, after), self.world.ended(after))

    def loss(self, paths: Paths) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Gaussian negative log-likelihood over the unrolled stretches, without its constant."""
        state, lost, squares = self.start(paths.observations[:, 0]), [], []
        for step in range(paths.rewards.shape[1]):
            state, log_variance = self.advance(state, paths.actions[:, step])
            off = difference(self.known, self.start(paths.observations[:, step + 1]), state).square()
            lost.append(0.5 * (off * (-log_variance).exp() + log_variance).mean(dim=-1))
            squares.append(off.detach().mean(dim=-1))
        on, count = paths.valid, paths.valid.sum()
        loss = torch.where(on, torch.stack(lost, dim=1), 0).sum() / count
        return loss, {"model/rms": (torch.where(on, torch.stack(squares, dim=1), 0).sum() / count).sqrt()}

    def standardise(self, paths: Paths) -> None:
        """Means and deviations of observations: the network's inputs."""
        seen = paths.observations[:, 0]
        self.mean.copy_(seen.mean(dim=0))
        self.deviation.copy_(seen.std(dim=0, correction=0).clamp(min=1e-3))
