"""Which masked letters a step reveals. Not the network, and not what the letters are.

With m masked places and `left` steps to go, this one included, every rule reveals all that is left at the last step:

    rule              places                                 log-probability of the choice
    ancestral         each one with chance 1/left            n·log(1/left) + (m - n)·log(1 - 1/left)
    in_random_order   ⌈m/left⌉ of them, all sets alike       -log C(m, n)
    confident         the ⌈m/left⌉ the network is surest of  none: the places follow from the network

`ancestral` is the reverse process of absorbing diffusion with a linear schedule (Sahoo et al. 2024, arXiv:2406.07524),
`confident` the decoding of MaskGIT (Chang et al. 2022, arXiv:2202.04200) and LLaDA (Nie et al. 2025, arXiv:2502.09992)
without its noise. Under the first two the places do not depend on the network, so in a ratio of two policies they
cancel. `confident` places do: they are taken as given, as part of the environment, and a ratio is then that of the
letters alone, which is no ratio of whole densities once two policies would reveal different places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@runtime_checkable
class RevealRule(Protocol):
    """Which masked places are revealed. `logp` [M L V] is what the network says, `left` [M] the steps to go."""

    def reveal(
        self,
        logp: Float[Tensor, "M L V"],
        masked: Bool[Tensor, "M L"],
        left: Int[Tensor, "M"],
        u: Float[Tensor, "M L"],
    ) -> Bool[Tensor, "M L"]:
        """The places, for this uniform noise."""
        ...

    def log_prob(
        self, masked: Bool[Tensor, "M L"], revealed: Bool[Tensor, "M L"], left: Int[Tensor, "M"]
    ) -> Float[Tensor, "M"]:
        """Of these places, float64."""
        ...

    def chances(
        self, logp: Float[Tensor, "M L V"], masked: Bool[Tensor, "M L"], left: Int[Tensor, "M"]
    ) -> Float[Tensor, "M L"]:
        """How likely each place is to be among them; 0 where nothing is masked."""
        ...


def due(masked: Bool[Tensor, "M L"], left: Int[Tensor, "M"]) -> Int[Tensor, "M"]:
    """⌈m/left⌉: how many to reveal now, so that steps reveal alike and the last one ends with no mask."""
    return -(-masked.sum(dim=1) // left)


@dataclass(frozen=True)
class Ancestral:
    """Each place for itself. A step may reveal nothing."""

    def reveal(self, logp: Tensor, masked: Tensor, left: Tensor, u: Tensor) -> Tensor:
        """By u < 1/left."""
        return masked & (u < 1 / left[:, None].double())

    def log_prob(self, masked: Tensor, revealed: Tensor, left: Tensor) -> Tensor:
        """n·log(1/left) + (m - n)·log(1 - 1/left)."""
        shown, rate = revealed.sum(dim=1), 1 / left.double()
        return torch.xlogy(shown, rate) + torch.xlogy(masked.sum(dim=1) - shown, 1 - rate)

    def chances(self, logp: Tensor, masked: Tensor, left: Tensor) -> Tensor:
        """1/left."""
        return masked / left[:, None].double()


@dataclass(frozen=True)
class InRandomOrder:
    """As many places a step as make the steps alike. The order is uniform over all orders."""

    def reveal(self, logp: Tensor, masked: Tensor, left: Tensor, u: Tensor) -> Tensor:
        """Those of the smallest u."""
        return _first(u.masked_fill(~masked, 2.0), due(masked, left))

    def log_prob(self, masked: Tensor, revealed: Tensor, left: Tensor) -> Tensor:
        """-log C(m, n); -∞ for another number of places."""
        m, n = masked.sum(dim=1).double(), due(masked, left).double()
        alike = (n + 1).lgamma() + (m - n + 1).lgamma() - (m + 1).lgamma()
        return torch.where(revealed.sum(dim=1) == n, alike, -torch.inf)

    def chances(self, logp: Tensor, masked: Tensor, left: Tensor) -> Tensor:
        """n/m."""
        share = due(masked, left).double() / masked.sum(dim=1).clamp(min=1)
        return masked * share[:, None]


@dataclass(frozen=True)
class Confident:
    """The places where the likeliest letter is likeliest; the noise only breaks ties."""

    def reveal(self, logp: Tensor, masked: Tensor, left: Tensor, u: Tensor) -> Tensor:
        """By the largest max p."""
        doubt = -logp.amax(dim=2).double() + 1e-12 * u
        return _first(doubt.masked_fill(~masked, torch.inf), due(masked, left))

    def log_prob(self, masked: Tensor, revealed: Tensor, left: Tensor) -> Tensor:
        """0: the places are taken as given."""
        return torch.zeros(len(masked), dtype=torch.float64, device=masked.device)

    def chances(self, logp: Tensor, masked: Tensor, left: Tensor) -> Tensor:
        """1 for the places it takes."""
        return self.reveal(logp, masked, left, torch.zeros_like(logp[..., 0])).double()


def _first(score: Float[Tensor, "M L"], count: Int[Tensor, "M"]) -> Bool[Tensor, "M L"]:
    """The `count` smallest of each row."""
    return score.argsort(dim=1).argsort(dim=1) < count[:, None]


def ancestral() -> Ancestral:
    """Each masked place with chance 1/left."""
    return Ancestral()


def in_random_order() -> InRandomOrder:
    """⌈m/left⌉ masked places, all sets alike; with as many steps as letters, one at a time."""
    return InRandomOrder()


def confident() -> Confident:
    """The ⌈m/left⌉ places that the network is surest of."""
    return Confident()
