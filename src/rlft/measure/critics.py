"""What critics promise beside what comes true. Not a loss, and not for training on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.protocol import Episode, Space
from rlft.types import Measure, Problem


def promised(critics: Callable[[Tensor, Tensor], Tensor], space: Space, gamma: float, beyond: float = 0.0) -> Measure:
    """`q`: mean Q(s_0, a_0) over the members and the episodes; `overestimate`: what of it did not come true.

        overestimate = mean (Q(s_0, a_0) - Σ_t gamma^t r_t)

    critics   `([B O], [B h A]) -> [E B]`, actions in units of `space`
    gamma     discount of each step
    beyond    what each step would have earned after a time limit: 0 counts nothing
    """

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        seen = torch.stack([episode.observations[0] for episode in outputs]).float()
        first = torch.stack([episode.actions[: episode.chunk] for episode in outputs])
        with torch.no_grad():
            q = critics(seen, space.unit(first).to(seen if first.is_floating_point() else first)).mean(dim=0).double()
        earned = torch.stack([_earned(episode, gamma, beyond) for episode in outputs])
        return {"q": float(q.mean()), "overestimate": float((q - earned).mean())}

    return measure


def _earned(episode: Episode, gamma: float, beyond: float) -> Float[Tensor, ""]:
    powers = gamma ** torch.arange(len(episode) + 1, dtype=torch.float64)
    after = 0.0 if episode.terminated else beyond / (1 - gamma)
    return (powers[:-1] * episode.rewards.double()).sum() + powers[-1] * after
