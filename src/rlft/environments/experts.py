"""Scripted players for our own environments, to start policies from. They know the rules; nothing here is learnt."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, singledispatch

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rlft.environments.menu import Menu
from rlft.environments.pendulum import Pendulum
from rlft.environments.play import play
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Box, Discrete, Environment, Episode, Space
from rlft.noise import ACTION, hashed, normal, uniform
from rlft.types import UserError

# Demonstrations stay within this share of a box: at its bounds a squashed policy has no action to imitate them with.
_INSIDE = 0.95
_SPEED = 0.8

Expert = Callable[[Tensor], Tensor]
"""`observations [N O] -> actions [N A]`."""


@singledispatch
def expert(environment: object) -> Expert:
    """The scripted player of an environment; UserError where there is none. `expert.register` adds one."""
    raise UserError(f"there is no scripted expert for {environment}: bring episodes of your own")


@expert.register
def _(environment: PointMass) -> Expert:
    return partial(_through_the_gap, environment)


@expert.register
def _(environment: Pendulum) -> Expert:
    return partial(_swing_up, environment)


@expert.register
def _(environment: Menu) -> Expert:
    return partial(_nearest_choice, environment, expert(environment.inner))


def _through_the_gap(world: PointMass, observation: Float[Tensor, "N 4"]) -> Float[Tensor, "N 2"]:
    """At one speed towards the middle of the gap on the shortest way, then towards the goal."""
    position, velocity = observation[:, :2], observation[:, 2:]
    middles = position.new_tensor([(low + high) / 2 for low, high in world.gaps])
    nearest = (world.crossing(position)[:, 1:] - middles).abs().argmin(dim=1)
    gap = torch.stack([torch.full_like(middles[nearest], 0.1), middles[nearest]], dim=1)
    goal = position.new_tensor(world.goal).expand_as(gap)
    towards = torch.where(position[:, :1] < 0, gap, goal) - position
    # the wall is hit unless the height is right first
    hold_back = (position[:, 0] < 0) & (towards[:, 1].abs() > 0.15)
    towards = torch.stack([torch.where(hold_back, towards[:, 0] - 0.3, towards[:, 0]), towards[:, 1]], dim=1)
    wanted = _SPEED * towards / towards.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return (2 * (wanted - velocity)).tanh()


def _swing_up(world: Pendulum, observation: Float[Tensor, "N 3"]) -> Float[Tensor, "N 1"]:
    """Pump energy until it suffices for the top (Åström and Furuta 2000), and hold there with a PD rule."""
    cosine, sine, omega = observation.unbind(dim=1)
    missing = world.gravity * (1 - cosine) - omega**2 / 2
    pump = missing * torch.where(omega == 0, 1.0, omega.sign())
    hold = -(2 * world.gravity * torch.atan2(sine, cosine) + 1.5 * math.sqrt(world.gravity) * omega) / world.push
    return world.action.clip(torch.where(cosine > 0.9, hold, pump)[:, None])


def _nearest_choice(world: Menu, inner: Expert, observation: Float[Tensor, "N O"]) -> Int[Tensor, "N 1"]:
    choices = observation.new_tensor(world.choices)
    return torch.cdist(inner(observation), choices).argmin(dim=1, keepdim=True)


def demonstrations(environment: Environment, count: int, seed: int, clumsy: float = 0.0) -> list[Episode]:
    """Episodes of the scripted expert, from starts that no task has.

    clumsy   Box: standard deviation of the noise on each action, in half-ranges; Discrete: share of random actions
    """
    keys = torch.tensor([hashed("demonstration", environment.name, seed, i) for i in range(count)])
    player = expert(environment)

    def act(observation: Tensor, rows: Tensor, decision: int) -> Tensor:
        return _clumsily(environment.action, player(observation), keys[rows], decision, clumsy)[:, None]

    return play(environment, keys, keys, act).episodes()


def _clumsily(
    space: Space, action: Num[Tensor, "N A"], keys: Int[Tensor, "N"], decision: int, share: float
) -> Num[Tensor, "N A"]:
    at = torch.tensor([decision])
    match space:
        case Box():
            low, high = space.bounds(action)
            middle, reach = (low + high) / 2, (high - low) / 2
            shaken = (action - middle) / reach + share * normal(keys, at, (space.size,), ACTION)[:, 0]
            return middle + reach * shaken.clamp(-_INSIDE, _INSIDE)
        case Discrete():
            # one number decides whether, and what is left of it which
            u = uniform(keys, at, ACTION)
            anything = (u / share * space.n).long() if share else action
            return torch.where(u < share, anything.clamp(max=space.n - 1), action)
