"""What a flow policy is asked for: a velocity. Ours, others' with another direction of time, and a net for the noise.

Here t = 1 is noise and t = 0 actions, x_t = (1 - t) a + t z, and the velocity is dx/dt = z - a: the convention of π0
and of `control.flow.Flow`. N states, O numbers of an observation, h actions of A numbers in units of the space, where
a box is [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlft.models.mlp import MLP
from rlft.policies.control.flow import CLOCK, told
from rlft.policies.stepwise.stepwise import in_blocks
from rlft.types import UserError


@runtime_checkable
class HasVelocity(Protocol):
    """A module that says where a chunk of actions flows; `Foreign` makes one of other people's."""

    @property
    def chunk(self) -> int:
        """Actions in one decision, h."""
        ...

    def velocity(
        self, observation: Float[Tensor, "N O"], x: Float[Tensor, "N h A"], t: Float[Tensor, "N"]
    ) -> Float[Tensor, "N h A"]:
        """dx/dt, differentiable in the weights; in float64 if it is given that, and then of each row alone."""
        ...


class Foreign(nn.Module):
    """Another library's flow policy: any module with `velocity(observation, actions, t)` of these shapes.

        observation [N O]    actions [N h A], in units of the space    t [N]    ->    [N h A]

    It is called in the type of its weights, always with exactly `block` rows (the last call is filled up), because
    matrix products of other heights round otherwise, and a first ratio would not be 1.

    policy      the module; its weights are the ones that are trained
    chunk       h
    noise_at    the time at which it has noise. 1: as here. 0: actions are at 1 and its velocity is a - z, as in Lipman
                et al. 2022 (arXiv:2210.02747); t and sign are then turned around
    block       rows in one call
    """

    def __init__(self, policy: nn.Module, chunk: int, noise_at: Literal[0, 1] = 1, block: int = 128) -> None:
        super().__init__()
        if not callable(getattr(policy, "velocity", None)):
            raise UserError(
                f"{type(policy).__name__} has no velocity(observation, actions, t): wrap it in one that has"
            )
        if chunk < 1 or block < 1 or noise_at not in (0, 1):
            raise UserError(f"chunk and block are at least 1 and noise_at 0 or 1, not {chunk}, {block}, {noise_at}")
        self.policy, self.chunk, self.noise_at, self.block = policy, chunk, noise_at, block

    def velocity(
        self, observation: Float[Tensor, "N O"], x: Float[Tensor, "N h A"], t: Float[Tensor, "N"]
    ) -> Float[Tensor, "N h A"]:
        """As here, whatever its own direction of time is."""
        weights = next(chain(self.policy.parameters(), self.policy.buffers()), x)
        time, sign = (t, 1) if self.noise_at == 1 else (1 - t, -1)
        policy: Any = self.policy
        said = [
            policy.velocity(*(column.to(weights) for column in block))
            for block in in_blocks(self.block, observation, x, time)
        ]
        return sign * torch.cat(said)[: len(x)].to(x)


class NoiseNet(nn.Module):
    """The raw log-noise of each number of a chunk for `noise_rules.flow_noise`, from observation, chunk and time.

    It starts close to 0, the geometric middle of the bounds, and is a network apart: at test it is left out.

    size    numbers of an observation
    shape   (h, A)
    """

    def __init__(self, size: int, shape: Sequence[int], width: int = 64, layers: int = 2, seed: int = 0) -> None:
        super().__init__()
        self.shape, numbers = tuple(shape), math.prod(shape)
        self.net = MLP([size + numbers + CLOCK, *[width] * layers, numbers], seed, 0.01)

    def forward(
        self, x: Float[Tensor, "N h A"], t: Float[Tensor, "N"], observation: Float[Tensor, "N O"]
    ) -> Float[Tensor, "N h A"]:
        return self.net(told(observation, x, t)).unflatten(1, self.shape)
