"""Flow policies for control: noise carried to a chunk of actions along a learned velocity. Not image diffusion.

Time runs from t = 1, noise, to t = 0, actions, as in `models.schedules`. B or N states, h actions of A numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.environments.acted import Acted
from rlft.environments.protocol import Box, Environment
from rlft.models.mlp import MLP, Activation
from rlft.models.schedules import RectifiedFlow
from rlft.noise import normal
from rlft.policies.control.world import ForEnvironment
from rlft.types import Problem, Rollouts, UserError

__all__ = ["Flow"]

# Sines and cosines of time that the network reads: of half a turn, one and two on the way from noise to actions.
_RATES = (1.0, 2.0, 4.0)
CLOCK = 2 * len(_RATES)


class Flow(ForEnvironment):
    """A policy whose decision is where an ODE ends that starts in noise (Lipman et al. 2022, arXiv:2210.02747).

        x_1 = noise,   x_t' = x_t + (t' - t) v(s, x_t, t) in `steps` steps from t = 1 to 0,   a = clip(x_0, ±1)
        imitation = Σ_A (v(s, x_t, t) - (x_1 - a))²,   x_t = (1 - t) a + t x_1,   t uniform on (0, 1)

    At the loss' minimum the ODE's ends have the distribution of the data, of any shape, as steps grow; one step ends in
    the data's mean. Actions are differentiable in the weights, but their density is not known: the policy acts,
    proposes and imitates, and has no `log_prob`. Methods that need one say so.

    steps    of the ODE for a decision: forward passes of the network
    seed     of the weights
    """

    def __init__(
        self,
        environment: Environment,
        *,
        steps: int = 5,
        width: int = 64,
        layers: int = 2,
        seed: int = 0,
        chunk: int = 1,
        activation: Activation = torch.relu,
    ) -> None:
        super().__init__(environment, width, layers, chunk)
        space = environment.action
        if not isinstance(space, Box):
            raise UserError(f"a flow needs a Box of actions, not {space}; use Control, whose head is Categorical")
        self.times, self.shape = RectifiedFlow().times(steps).tolist(), (chunk, space.size)
        numbers = math.prod(self.shape)
        inputs = environment.observation_size + numbers + CLOCK
        self.net = MLP([inputs, *[width] * layers, numbers], seed, 0.01, activation)

    def velocity(
        self, observation: Float[Tensor, "N O"], x: Float[Tensor, "N h A"], t: Float[Tensor, "N"]
    ) -> Float[Tensor, "N h A"]:
        """v(s, x, t), an estimate of noise less action."""
        return self.net(told(observation, x, t)).unflatten(1, self.shape)

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D h A"]:
        """Where the ODE starts, for these decisions of rows with these keys."""
        return normal(keys, decisions, self.shape)

    def act(self, observation: Float[Tensor, "N O"], noise: Float[Tensor, "N h A"]) -> Float[Tensor, "N h A"]:
        """One decision in each state, in units of the space, in the dtype of the observation."""
        return along(self.velocity, observation, noise.to(observation.dtype), self.times).clamp(-1, 1)

    def propose(
        self, observation: Float[Tensor, "B O"], n: int, generator: torch.Generator
    ) -> Float[Tensor, "B n h A"]:
        """n draws in each state."""
        noise = torch.randn((len(observation) * n, *self.shape), generator=generator, dtype=observation.dtype)
        return self.act(observation.repeat_interleave(n, dim=0), noise.to(observation.device)).unflatten(0, (-1, n))

    def imitation(
        self, observation: Float[Tensor, "B O"], action: Float[Tensor, "B h A"], generator: torch.Generator
    ) -> Float[Tensor, "B h"]:
        """Flow matching: the squared error of the velocity at one time and one noise for each state."""
        return matching(self.velocity, observation, action, generator).sum(dim=-1)

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` episodes from the start of each problem, none of whose decisions is on the mask."""
        return Acted(self, self.environment, self.net.biases[0].device).sample(problems, group, seed)


Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""v(what is known, x [N h A], t [N]) -> [N h A]"""


def along(velocity: Velocity, known: Float[Tensor, "N O"], x: Tensor, times: Sequence[float]) -> Float[Tensor, "N h A"]:
    """Where Euler steps at these times lead from x at the first of them."""
    for t, after in pairwise(times):
        x = x + (after - t) * velocity(known, x, x.new_full((len(x),), t))
    return x


def matching(
    velocity: Velocity, known: Float[Tensor, "N O"], action: Float[Tensor, "N h A"], generator: torch.Generator
) -> Float[Tensor, "N h A"]:
    """The squared error of the velocity at one time and one noise for each row."""
    t = torch.rand(len(action), generator=generator, dtype=action.dtype).to(action.device)
    noise = torch.randn(action.shape, generator=generator, dtype=action.dtype).to(action.device)
    share = t[:, None, None]
    return (velocity(known, (1 - share) * action + share * noise, t) - (noise - action)).square()


def told(observation: Float[Tensor, "N O"], x: Float[Tensor, "N h A"], t: Float[Tensor, "N"]) -> Float[Tensor, "N I"]:
    """What a network of observation, chunk and time reads: I = O + h·A + `CLOCK` numbers."""
    angle = math.pi * t[:, None] * t.new_tensor(_RATES)
    return torch.cat([observation, x.flatten(1), angle.sin(), angle.cos()], dim=1)
