"""Policies with a world model of their own, for any world of vectors or pictures."""

from __future__ import annotations

import functools
from typing import Any

import torch

from rlft.environments.menu import innermost
from rlft.environments.protocol import Environment, Stored
from rlft.policies.control.heads import StateTanhGaussian
from rlft.types import UserError
from rlft.worldmodels.imagination import Dreamer
from rlft.worldmodels.rssm import RSSM


def believer(world: Environment, width: int, seed: int, deter: int | None = None, stoch: int = 32) -> Dreamer:
    """A policy with a world model: hidden layers of `width`, a memory of `deter` numbers (as many unless it is told).

    Pictures are read as flat vectors, whole numbers from 0 to 255 divided by 255.
    """
    deter, inner = width if deter is None else deter, innermost(world)
    scale = 255.0 if isinstance(inner, Stored) and inner.observation_dtype == torch.uint8 else 1.0
    sizes: dict[str, Any] = {"deter": deter, "stoch": stoch, "width": width, "scale": scale, "seed": seed}
    if min(deter, stoch, width) < 1:
        raise UserError(f"deter, stoch and width must be at least 1, not {deter}, {stoch}, {width}")
    model = RSSM(world.observation_size, world.action.size, **sizes)
    return Dreamer(world, model, functools.partial(StateTanhGaussian, std=1.0), width=width, seed=seed)
