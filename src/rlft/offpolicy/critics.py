"""Networks side by side: an ensemble of critics as one stack of matrices. No targets of learning, no policies.

E members, B states, n actions for each, O and A numbers of an observation and an action.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional

from rlft.environments.protocol import Discrete, Space
from rlft.products import stacked

Norm = Callable[[Tensor], Tensor]


def plain(x: Tensor) -> Tensor:
    """No normalisation."""
    return x


def layer_norm(x: Tensor) -> Tensor:
    """Layer normalisation without weights of its own (arXiv:1607.06450): bounds how far a critic can extrapolate."""
    return functional.layer_norm(x, x.shape[-1:])


class Ensemble(nn.Module):
    """E multi-layer perceptrons of these sizes with ReLU between layers, whose weights differ and inputs may not.

    One batched product does a layer of all members. It computes in the dtype of its input. Weights and biases are
    uniform within ±1/√inputs, as in `nn.Linear`; member e has what the generator of `seed + e` gives it, so an ensemble
    is its members trained alone.

    norm   of each hidden layer before its ReLU: `plain` or `layer_norm`
    """

    def __init__(self, sizes: Sequence[int], members: int, seed: int, norm: Norm = plain) -> None:
        super().__init__()
        self.norm = norm
        generators = [torch.Generator().manual_seed(seed + member) for member in range(members)]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            drawn = [torch.rand(inputs + 1, outputs, generator=g) for g in generators]
            all_drawn = torch.stack(drawn) if drawn else torch.zeros(0, inputs + 1, outputs)
            both = (2 * all_drawn - 1) / math.sqrt(inputs)
            self.weights.append(nn.Parameter(both[:, :-1].contiguous()))
            self.biases.append(nn.Parameter(both[:, -1:].contiguous()))

    @property
    def members(self) -> int:
        return len(self.weights[0])

    def forward(self, x: Float[Tensor, "B I"]) -> Float[Tensor, "E B F"]:
        layers = list(zip(self.weights, self.biases, strict=True))
        h = x.expand(self.members, *x.shape)
        for weight, bias in layers[:-1]:
            h = self.norm(stacked(h, weight.to(x.dtype), bias.to(x.dtype))).relu()
        weight, bias = layers[-1]
        return stacked(h, weight.to(x.dtype), bias.to(x.dtype))


class Critics(nn.Module):
    """E estimates of the value of a decision in a state, Q(s, a).

    Continuous actions are inputs; for a Discrete space each member has a number for each action (one decision is then
    one action). Actions are in units of their space.
    """

    def __init__(
        self,
        observation_size: int,
        action: Space,
        *,
        members: int = 2,
        hidden: Sequence[int] = (256, 256),
        chunk: int = 1,
        seed: int = 0,
        norm: Norm = plain,
    ) -> None:
        super().__init__()
        self.listed = action.n if isinstance(action, Discrete) else None
        inputs = observation_size + (0 if self.listed else chunk * action.size)
        self.nets = Ensemble([inputs, *hidden, self.listed or 1], members, seed, norm)

    def forward(self, observation: Float[Tensor, "B O"], action: Num[Tensor, "B h A"]) -> Float[Tensor, "E B"]:
        """Of one decision in each state."""
        if self.listed:
            each = self.nets(observation)
            return each.gather(-1, action[:, 0].expand(len(each), -1, -1))[..., 0]
        return self.nets(torch.cat([observation, action.flatten(1)], dim=1))[..., 0]

    def of(self, observation: Float[Tensor, "B O"], action: Num[Tensor, "B n h A"]) -> Float[Tensor, "E B n"]:
        """Of n decisions in each state."""
        if self.listed:
            each = self.nets(observation)
            return each.gather(-1, action[:, :, 0, 0].expand(len(each), -1, -1))
        if action.shape[1] == 1:
            return self(observation, action[:, 0])[..., None]
        states = observation.repeat_interleave(action.shape[1], dim=0)
        return self(states, action.flatten(0, 1)).unflatten(-1, action.shape[:2])
