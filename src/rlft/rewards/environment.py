"""The reward an environment paid, decision by decision. Not a measure of success: see `measure.control` for that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.protocol import Episode
from rlft.types import Problem, Transcript, UserError


def environment_reward(problems: Sequence[Problem], outputs: Sequence[Episode]) -> list[Float[Tensor, "_"]]:
    """For each row the reward of each of its decisions, as long as the row: sums over the steps of a chunk.

    Inside a chunk nothing is discounted (as in DPPO, arXiv:2409.00588); the last chunk may be cut short by the
    episode's end. With chunks of one step these are the environment's rewards.
    """
    return [_per_decision(episode) for episode in outputs]


def result(problems: Sequence[Problem], outputs: Sequence[Any]) -> list[float]:
    """The number that each conversation came to, as who answered the policy says, an agent's program for instance.

    0 where the conversation's limits ended it before that; NaN, no score, where who answers failed. `UserError` where
    what it came to is no number, or where nobody says.
    """
    if not all(isinstance(output, Transcript) for output in outputs):
        raise UserError("`result` is what a conversation came to: give --agent, or another reward")
    return [_came_to(output) for output in outputs]


def _came_to(output: Transcript) -> float:
    last = output.messages[-1] if output.messages else None
    if last is None or last.role != "result":
        if last is not None and not output.truncated:
            raise UserError(
                "nobody said what the conversation came to: `result` is for an agent's program, see --agent"
            )
        return 0.0
    if last.failed:
        return math.nan
    try:
        return float(last.content)
    except ValueError:
        raise UserError(
            f"the agent's program returned {last.content!r:.60}, no number: let it return one, or judge what the model "
            "said with another reward"
        ) from None


def _per_decision(episode: Episode) -> Float[Tensor, "_"]:
    return torch.stack([part.sum() for part in episode.rewards.split(episode.chunk)])
