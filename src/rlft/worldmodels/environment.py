"""A world model as an environment: any policy acts in it, and is trained in it, as in the world itself."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.environments.protocol import Environment, Space, Step
from rlft.noise import ENVIRONMENT, normal
from rlft.types import UserError
from rlft.worldmodels.protocol import WorldModel


class Imagined:
    """What a model takes for the world: `Imagined(model, world, starts, horizon=40)`.

    model      how it goes on; `worldmodels.protocol.error` says how far it is off
    world      whose actions and observations it has
    starts     observations to start from, [M O], equally likely, such as the first of given episodes; None starts
               where the world does
    horizon    steps after which an episode is cut off; None is the world's own
    certain    take the model's means, without noise

    Noise belongs to (row, step), so that a row does not depend on its neighbours; a state is float64, as everywhere.
    With the true dynamics as the model it is the true world, up to angles that have gone round and come back.
    """

    def __init__(
        self,
        model: WorldModel,
        world: Environment,
        starts: Float[Tensor, "M O"] | None = None,
        horizon: int | None = None,
        certain: bool = False,
    ) -> None:
        if starts is not None and (starts.ndim != 2 or not len(starts) or starts.shape[1] != world.observation_size):
            raise UserError(
                f"starts are at least one observation of {world.observation_size} numbers, not a tensor of shape "
                f"{tuple(starts.shape)}"
            )
        if horizon is not None and horizon < 1:
            raise UserError(f"a horizon is at least 1 step, not {horizon}")
        self.model, self.world, self.certain = model, world, certain
        self.starts = None if starts is None else starts.double()
        self.horizon: int = horizon or world.horizon
        self.name = f"imagined {world.name}"
        self.observation_size: int = world.observation_size
        self.action: Space = world.action

    @torch.no_grad()
    def reset(self, keys: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        """Start states; a key names a row of `starts`, or the world's own start."""
        if self.starts is None:
            return self.model.start(self.world.observe(self.world.reset(keys)))
        return self.model.start(self.starts.to(keys.device)[keys % len(self.starts)])

    @torch.no_grad()
    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        """What the model shows of a state."""
        return self.model.observe(state)

    @torch.no_grad()
    def step(self, state: Float[Tensor, "N S"], action: Float[Tensor, "N A"], t: int, keys: Int[Tensor, "N"]) -> Step:
        """The model's own step."""
        at = torch.tensor([t], device=keys.device)
        noise = None if self.certain else normal(keys, at, (self.model.noise_size,), ENVIRONMENT)[:, 0]
        new, reward, terminated = self.model.step(state, action, noise)
        late = torch.full_like(terminated, t + 1 >= self.horizon)
        return Step(new, reward, terminated, late & ~terminated)
