"""Distributions over control actions: how network outputs become actions and densities. No network, no environment.

A decision is a chunk of h actions of A numbers, so tensors are [… h A] and log-probabilities [… h], summed over A;
the policy sums over the part of the chunk that was executed. `inputs` network outputs describe one decision.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn
from torch.nn import functional

from rlft.environments.protocol import Box, Discrete, Space
from rlft.noise import normal, uniform
from rlft.types import UserError
from rlft.types.acting import Candidates

# exp(-5) of the unit interval is as good as deterministic, exp(2) as good as uniform after the tanh.
LOG_STD = (-5.0, 2.0)
# A demonstrated action at a bound has no pre-tanh value: it is read as this share of the way there.
INSIDE = 0.99999


class Head(Protocol):
    """What `Control` needs of a distribution. `decision` is what is stored and scored, `action` what is executed.

    `unit` is the same action in units of its space (see `rlft.types.acting`), and `inside` the way back.
    """

    inputs: int
    dtype: torch.dtype

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D h *A"]: ...

    def draw(self, outputs: Float[Tensor, "N F"], noise: Float[Tensor, "N h *A"]) -> Num[Tensor, "N h A"]: ...

    def mode(self, outputs: Float[Tensor, "N F"]) -> Num[Tensor, "N h A"]: ...

    def log_prob(self, outputs: Float[Tensor, "*N F"], decision: Num[Tensor, "*N h A"]) -> Float[Tensor, "*N h"]: ...

    def action(self, decision: Num[Tensor, "*N h A"]) -> Num[Tensor, "*N h A"]: ...

    def decision(self, action: Num[Tensor, "*N h A"]) -> Num[Tensor, "*N h A"]: ...

    def unit(self, decision: Num[Tensor, "*N h A"]) -> Num[Tensor, "*N h A"]: ...

    def inside(self, unit: Num[Tensor, "*N h A"]) -> Num[Tensor, "*N h A"]: ...

    def propose(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Num[Tensor, "B n h A"]: ...


@runtime_checkable
class Differentiable(Protocol):
    """A head whose proposals carry densities and a gradient (see `rlft.types.acting.Candidates`)."""

    def candidates(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Candidates:
        """n draws, or every decision there is."""
        ...


def inverse(logits: Float[Tensor, "*N n"], u: Float[Tensor, "*N"]) -> Int[Tensor, "*N"]:
    """Inverse distribution function: the first of n whose cumulative probability exceeds u."""
    up_to = logits.softmax(dim=-1).cumsum(dim=-1)
    # the last one is 1 up to rounding, and never to be passed
    return (up_to[..., :-1] <= u[..., None]).sum(dim=-1)


def tanh_gaussian_log_prob(
    mean: Float[Tensor, "*N A"], log_std: Float[Tensor, "*N A"], u: Float[Tensor, "*N A"]
) -> Float[Tensor, "*N"]:
    """log density of a = tanh(u), u ~ N(mean, std²), over (-1, 1)^A, computed from the pre-tanh u.

        log p(a) = Σ_A log N(u; mean, std) - log(1 - tanh²u),   log(1 - tanh²u) = 2 (log 2 - u - softplus(-2u))

    The second form is that of Haarnoja et al. 2018 (arXiv:1812.05905, App. C) without the cancellation at large |u|,
    where a itself rounds to 1. It is the sum over dimensions, not their mean.
    """
    z = (u - mean) * (-log_std).exp()
    gaussian = -0.5 * z.square() - log_std - 0.5 * math.log(2 * math.pi)
    correction = 2 * (math.log(2) - u - functional.softplus(-2 * u))
    return (gaussian - correction).sum(dim=-1)


class _TanhGaussian(nn.Module, ABC):
    """A Gaussian u per action dimension, squashed by tanh to (-1, 1) and stretched to the box.

    Densities are over (-1, 1), so the units of the box do not move them. Subclasses say where mean and log-deviation
    come from, and nothing else.
    """

    dtype = torch.float64
    inputs: int

    def __init__(self, space: Space, chunk: int) -> None:
        super().__init__()
        if not isinstance(space, Box):
            raise UserError(f"a Gaussian head needs a Box of actions, not {space}; use Categorical")
        self.space, self.shape = space, (chunk, space.size)

    @abstractmethod
    def moments(self, outputs: Float[Tensor, "*N F"]) -> tuple[Float[Tensor, "*N h A"], Float[Tensor, "*#N h A"]]:
        """Mean and log standard deviation of u."""

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D h A"]:
        return normal(keys, decisions, self.shape)

    def draw(self, outputs: Float[Tensor, "N F"], noise: Float[Tensor, "N h A"]) -> Float[Tensor, "N h A"]:
        mean, log_std = self.moments(outputs)
        return mean + log_std.exp() * noise

    def mode(self, outputs: Float[Tensor, "N F"]) -> Float[Tensor, "N h A"]:
        """The image of the mean of u: the median of the action, and where squashing is slight its mode."""
        return self.moments(outputs)[0]

    def log_prob(self, outputs: Float[Tensor, "*N F"], decision: Float[Tensor, "*N h A"]) -> Float[Tensor, "*N h"]:
        mean, log_std = self.moments(outputs)
        return tanh_gaussian_log_prob(mean, log_std.expand_as(mean), decision)

    def action(self, decision: Float[Tensor, "*N h A"]) -> Float[Tensor, "*N h A"]:
        return self.space.stretch(decision.tanh())

    def decision(self, action: Float[Tensor, "*N h A"]) -> Float[Tensor, "*N h A"]:
        return self.inside(self.space.unit(action))

    def unit(self, decision: Float[Tensor, "*N h A"]) -> Float[Tensor, "*N h A"]:
        return decision.tanh()

    def inside(self, unit: Float[Tensor, "*N h A"]) -> Float[Tensor, "*N h A"]:
        return unit.clamp(-INSIDE, INSIDE).atanh()

    def propose(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Float[Tensor, "B n h A"]:
        return self.candidates(outputs, n, generator).action

    def candidates(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Candidates:
        """n draws. Since u = mean + std z, the density's z is the noise itself, and its gradient in the mean is 0."""
        mean, log_std = self.moments(outputs)
        log_std = log_std.expand_as(mean)[:, None]
        z = torch.randn((len(mean), n, *self.shape), generator=generator, dtype=mean.dtype).to(mean.device)
        u = mean[:, None] + log_std.exp() * z
        squashed = 2 * (u + functional.softplus(-2 * u)) - 2 * math.log(2)
        density = squashed - log_std - 0.5 * z.square() - 0.5 * math.log(2 * math.pi)
        logp = density.flatten(2).sum(dim=2)
        return Candidates(u.tanh(), logp, torch.full_like(logp, -math.log(n)))


class TanhGaussian(_TanhGaussian):
    """One learnt deviation for each action dimension, the same in every state; `std` is where it starts.

    The policy can then explore less only everywhere at once, which keeps an on-policy method's exploration alive.
    """

    def __init__(self, space: Space, chunk: int, std: float = 0.5) -> None:
        super().__init__(space, chunk)
        self.log_std = nn.Parameter(torch.full(self.shape, math.log(std)))
        self.inputs = math.prod(self.shape)

    def moments(self, outputs: Float[Tensor, "*N F"]) -> tuple[Float[Tensor, "*N h A"], Float[Tensor, "*#N h A"]]:
        return outputs.unflatten(-1, self.shape), self.log_std.to(outputs.dtype).clamp(*LOG_STD)


class StateTanhGaussian(_TanhGaussian):
    """Mean and deviation both from the network, as in SAC; `std` multiplies what it says, and starts it."""

    def __init__(self, space: Space, chunk: int, std: float = 0.5) -> None:
        super().__init__(space, chunk)
        self.offset = math.log(std)
        self.inputs = 2 * math.prod(self.shape)

    def moments(self, outputs: Float[Tensor, "*N F"]) -> tuple[Float[Tensor, "*N h A"], Float[Tensor, "*#N h A"]]:
        mean, log_std = outputs.unflatten(-1, (2, *self.shape)).unbind(dim=-3)
        return mean, (log_std + self.offset).clamp(*LOG_STD)


class Categorical(nn.Module):
    """One of n actions in each step of the chunk, each from its own logits: they are independent given the state."""

    dtype = torch.int64

    def __init__(self, space: Space, chunk: int) -> None:
        super().__init__()
        if not isinstance(space, Discrete):
            raise UserError(f"a Categorical head needs a Discrete space of actions, not {space}; use TanhGaussian")
        self.shape = (chunk, space.n)
        self.inputs = chunk * space.n

    def noise(self, keys: Int[Tensor, "N"], decisions: Int[Tensor, "D"]) -> Float[Tensor, "N D h"]:
        h = self.shape[0]
        steps = decisions[:, None] * h + torch.arange(h, device=decisions.device)
        return uniform(keys, steps.flatten()).unflatten(1, (len(decisions), h))

    def draw(self, outputs: Float[Tensor, "N F"], noise: Float[Tensor, "N h"]) -> Int[Tensor, "N h 1"]:
        return inverse(outputs.unflatten(-1, self.shape), noise)[..., None]

    def mode(self, outputs: Float[Tensor, "N F"]) -> Int[Tensor, "N h 1"]:
        return outputs.unflatten(-1, self.shape).argmax(dim=-1, keepdim=True)

    def log_prob(self, outputs: Float[Tensor, "*N F"], decision: Int[Tensor, "*N h 1"]) -> Float[Tensor, "*N h"]:
        return outputs.unflatten(-1, self.shape).log_softmax(dim=-1).gather(-1, decision)[..., 0]

    def action(self, decision: Int[Tensor, "*N h 1"]) -> Int[Tensor, "*N h 1"]:
        return decision

    def decision(self, action: Int[Tensor, "*N h 1"]) -> Int[Tensor, "*N h 1"]:
        return action

    def unit(self, decision: Int[Tensor, "*N h 1"]) -> Int[Tensor, "*N h 1"]:
        return decision

    def inside(self, unit: Int[Tensor, "*N h 1"]) -> Int[Tensor, "*N h 1"]:
        return unit

    def propose(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Int[Tensor, "B n h 1"]:
        return self.candidates(outputs, n, generator).action

    def candidates(self, outputs: Float[Tensor, "B F"], n: int, generator: torch.Generator) -> Candidates:
        """Every action there is, whatever n; chunks of several are too many to list."""
        if self.shape[0] != 1:
            raise UserError(f"decisions of {self.shape[0]} discrete actions cannot be listed: use chunk=1")
        logp = outputs.log_softmax(dim=-1)
        each = torch.arange(self.shape[1], device=outputs.device).expand_as(logp)
        return Candidates(each[..., None, None], logp, logp)
