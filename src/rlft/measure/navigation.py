"""How searches for a thing went: how often it was reached, by how much of a way, with how many tries."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rlft.environments.searching import Searched
from rlft.metrics.navigation import spl
from rlft.types import Problem


def paid_by_spl(problems: Sequence[Problem], outputs: Sequence[Searched]) -> list[float]:
    """A reward: success weighted by path length (see `metrics.navigation.spl`) of each search."""
    reached = torch.tensor([one.success for one in outputs])
    shortest = torch.tensor([float(one.shortest) for one in outputs])
    return spl(reached, shortest, torch.tensor([float(one.steps) for one in outputs])).tolist()


def navigation(problems: Sequence[Problem], outputs: Sequence[Searched]) -> dict[str, float]:
    """Of all searches:

    success  the share that reached the goal
    spl      success weighted by path length, the mean
    walked   steps
    tries    places that were chosen
    first    the share that reached it with the first
    """
    count = len(outputs)
    return {
        "success": sum(one.success for one in outputs) / count,
        "spl": sum(paid_by_spl(problems, outputs)) / count,
        "walked": sum(one.steps for one in outputs) / count,
        "tries": sum(one.tries for one in outputs) / count,
        "first": sum(one.success and one.tries <= 1 for one in outputs) / count,
    }
