"""The reward an environment paid, decision by decision. Not a measure of success: see `measure.control` for that."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.protocol import Episode
from rlft.types import Problem


def environment_reward(problems: Sequence[Problem], outputs: Sequence[Episode]) -> list[Float[Tensor, "_"]]:
    """For each row the reward of each of its decisions, as long as the row: sums over the steps of a chunk.

    Inside a chunk nothing is discounted (as in DPPO, arXiv:2409.00588); the last chunk may be cut short by the
    episode's end. With chunks of one step these are the environment's rewards.
    """
    return [_per_decision(episode) for episode in outputs]


def _per_decision(episode: Episode) -> Float[Tensor, "_"]:
    return torch.stack([part.sum() for part in episode.rewards.split(episode.chunk)])
