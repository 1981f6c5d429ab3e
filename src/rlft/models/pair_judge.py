"""Which of two pictures is better, for what was asked: a judge of pairs around any network, and a small one for digits.

Not trained here (`rewards.learned.pairwise`), and not a score of one picture: what a picture is compared with is read
together with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn


class PairJudge(nn.Module):
    """R(a, b, y) = P(a is better than b | y) = sigmoid((f(a, b, y) - f(b, a, y)) / T).

    The judge of pairs of Kandinsky 5 (2025, arXiv:2511.14993) is a vision-language model's probability of "Yes"; here
    the network is asked in both orders, so that R(a, b, y) + R(b, a, y) = 1 and R(a, a, y) = 1/2 by construction,
    whatever it has learned.

    network   `(first [N *S], second [N *S], asked [N …]) -> [N]`
    """

    temperature: Tensor

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.register_buffer("temperature", torch.ones(()))

    def forward(
        self, first: Float[Tensor, "N *S"], second: Float[Tensor, "N *S"], asked: Shaped[Tensor, "N *Y"]
    ) -> Float[Tensor, "N"]:
        """The logit of P(first is better)."""
        there, back = self.network(first, second, asked), self.network(second, first, asked)
        return (there - back) / self.temperature


class PairMLP(nn.Module):
    """An MLP on two flattened pictures and the class that was asked for, with one number as its output."""

    def __init__(self, shape: Sequence[int], classes: int, width: int = 128, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.enter = nn.Linear(2 * math.prod(shape), width)
            self.label = nn.Embedding(classes, width)
            layers: list[Any] = [nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)]
            self.leave = nn.Sequential(*layers)

    def forward(
        self, first: Float[Tensor, "N *S"], second: Float[Tensor, "N *S"], asked: Int[Tensor, "N"]
    ) -> Float[Tensor, "N"]:
        both = torch.cat([first.flatten(1), second.flatten(1)], dim=1)
        return self.leave(self.enter(both) + self.label(asked))[:, 0]
