"""What an environment's reward cannot see: did it get there, how far, how hard. Nothing here is for training on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.protocol import Episode, Measured
from rlft.types import Measure, Problem


def success(environment: Measured) -> Measure:
    """Share of episodes that end within the environment's tolerance of its goal, whatever they were paid."""

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        return {"success": _mean((_end(environment, outputs) <= environment.tolerance).double())}

    return measure


def final_distance(environment: Measured) -> Measure:
    """Mean distance of the last observation from the goal, in the environment's unit."""

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        return {"final_distance": _mean(_end(environment, outputs))}

    return measure


def path_length(environment: Measured) -> Measure:
    """Mean length of the way through space, ∑ |p(i+1) - p(i)|."""

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        paths = [environment.position(episode.observations) for episode in outputs]
        return {"path_length": _mean(torch.stack([path.diff(dim=0).norm(dim=-1).sum() for path in paths]))}

    return measure


def effort(environment: Measured) -> Measure:
    """Mean over the steps of all episodes of the squared force, as the environment executed it (clipped)."""

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        return {"effort": _mean(environment.effort(torch.cat([episode.actions for episode in outputs])))}

    return measure


def steps(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
    """Mean number of steps of an episode."""
    return {"steps": _mean(torch.tensor([float(len(episode)) for episode in outputs]))}


def control(environment: Measured) -> Measure:
    """All of the above."""
    parts = [success(environment), final_distance(environment), path_length(environment), effort(environment), steps]

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> dict[str, float]:
        return {name: value for part in parts for name, value in part(problems, outputs).items()}

    return measure


def _end(environment: Measured, outputs: Sequence[Episode]) -> Float[Tensor, "N"]:
    return environment.distance(torch.stack([episode.observations[-1] for episode in outputs]))


def _mean(values: Float[Tensor, "_"]) -> float:
    return float(values.mean())
