"""What a world model is: a start, one step, a fit. Physics-informed or a black box, a learner cannot tell them apart.

N rows, S numbers of a state, O of an observation, A of an action in its own units, W of noise, H steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from rlft.offpolicy.buffer import Buffer
from rlft.types import UserError


class Predicted(NamedTuple):
    """What one step of a model leads to."""

    state: Float[Tensor, "N S"]
    reward: Float[Tensor, "N"]
    terminated: Bool[Tensor, "N"]


@dataclass(frozen=True)
class Paths:
    """Stretches of at most H steps that were played, from which a model learns.

    valid        which steps there are, always the first and at least one: a stretch ends with its episode
    terminated   the world ended after the step
    """

    observations: Float[Tensor, "N G O"]
    actions: Num[Tensor, "N H A"]
    rewards: Float[Tensor, "N H"]
    terminated: Bool[Tensor, "N H"]
    valid: Bool[Tensor, "N H"]

    def __len__(self) -> int:
        return len(self.rewards)


@runtime_checkable
class WorldModel(Protocol):
    """A model of how a world goes on.

    noise_size   standard normal numbers that a step takes
    """

    @property
    def noise_size(self) -> int: ...

    def start(self, observation: Float[Tensor, "N O"]) -> Float[Tensor, "N S"]:
        """The states of what was seen."""
        ...

    def observe(self, state: Float[Tensor, "N S"]) -> Float[Tensor, "N O"]:
        """What is seen of a state."""
        ...

    def step(
        self, state: Float[Tensor, "N S"], action: Float[Tensor, "N A"], noise: Float[Tensor, "N W"] | None = None
    ) -> Predicted:
        """One step with this noise; None takes the mean."""
        ...

    def loss(self, paths: Paths) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """What a fit descends, averaged over the valid steps, and what to log."""
        ...

    def standardise(self, paths: Paths) -> None:
        """Take the scale of inputs and outputs from what was seen; before each fit."""
        ...

    def parameters(self) -> Any:
        """The weights."""
        ...


def paths(buffer: Buffer, slot: Int[Tensor, "N"], steps: int) -> Paths:
    """The stretches that begin in these slots of a buffer."""
    held, slots, valid = buffer.columns, [slot], [torch.ones_like(slot, dtype=torch.bool)]
    for _ in range(steps - 1):
        following = held["follow"][slots[-1]]
        valid.append(valid[-1] & (following >= 0))
        slots.append(torch.where(valid[-1], following, slots[-1]))
    there, on = torch.stack(slots, dim=1), torch.stack(valid, dim=1)
    first, after = held["observation"][slot][:, None], held["next_observation"][there]
    seen = torch.cat([first, after], dim=1).to(buffer.dtype)
    taken = buffer.action.stretch(held["action"][there])
    return Paths(seen, taken, held["reward"][there], held["terminated"][there] & on, on)


def drawn(buffers: list[Buffer], count: int, steps: int, generator: torch.Generator) -> Paths:
    """Stretches that begin anywhere in these buffers, equally likely; UserError where nothing is in them."""
    sizes = [len(buffer) for buffer in buffers]
    if not sum(sizes):
        raise UserError("a world model learns from what was played, and the buffer is empty: collect first")
    at = torch.randint(sum(sizes), (count,), generator=generator)
    parts, before = [], 0
    for buffer, size in zip(buffers, sizes, strict=True):
        own = at[(at >= before) & (at < before + size)] - before
        if len(own):
            parts.append(paths(buffer, own.to(buffer.device), steps))
        before += size
    return Paths(*(torch.cat([getattr(part, name) for part in parts]) for name in Paths.__dataclass_fields__))


@torch.no_grad()
def error(model: WorldModel, seen: Paths) -> dict[str, float]:
    """How far a model's means are from what happened, open loop: `model_error/h` after h steps, the first and the last.

    Root mean squared difference of observations, each number in units of its own deviation over these paths.
    """
    state, found = model.start(seen.observations[:, 0]), {}
    steps = seen.rewards.shape[1]
    spread = seen.observations.flatten(0, 1).std(dim=0).clamp(min=1e-6)
    for step in range(steps):
        state = model.step(state, seen.actions[:, step]).state
        if step in (0, steps - 1):
            off = (model.observe(state) - seen.observations[:, step + 1]) / spread
            found[f"model_error/{step + 1}"] = float(off[seen.valid[:, step]].square().mean().sqrt())
    return found
