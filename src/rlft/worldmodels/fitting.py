"""A world model fitted to episodes that are given, once and for all. Fits on the way are `worldmodels.inside`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rlft.environments.protocol import Environment, Episode
from rlft.noise import hashed
from rlft.offpolicy.buffer import Buffer
from rlft.types import UserError
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.physics import Physics
from rlft.worldmodels.protocol import drawn, error

HELD_OUT = 10  # of so many episodes one is kept back, to say how far the model is off


def fitted(
    model: BlackBox | Physics,
    world: Environment,
    episodes: Sequence[Episode],
    updates: int,
    batch: int = 256,
    unroll: int = 1,
    lr: float = 1e-3,
    decay: float = 1e-5,
    horizon: int = 10,
    seed: int = 0,
) -> dict[str, float]:
    """Descend the model's own loss on the steps of nine episodes in ten, and its error on the others.

    Adam with weight decay, whose rate falls to 0 as a half cosine, on `batch` stretches of `unroll` steps. Returns
    `worldmodels.protocol.error` after 1 and `horizon` steps, of at most 1,000 stretches. `UserError` for fewer than two
    episodes.
    """
    if len(episodes) < 2:
        raise UserError(
            f"a world model is fitted to episodes and measured on others: give at least 2, not {len(episodes)}"
        )
    kept = max(len(episodes) // HELD_OUT, 1)
    learned, measured = (_held(world, some) for some in (episodes[kept:], episodes[:kept]))
    chance = torch.Generator().manual_seed(hashed("fitting", seed) % 2**31)
    model.standardise(drawn([learned], min(len(learned), 10_000), 1, chance))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for _ in range(updates):
        loss, _ = model.loss(drawn([learned], batch, unroll, chance))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return error(model, drawn([measured], min(len(measured), 1000), horizon, chance))


def _held(world: Environment, episodes: Sequence[Episode]) -> Buffer:
    buffer = Buffer(sum(map(len, episodes)), world.observation_size, world.action)
    buffer.extend(episodes)
    return buffer
