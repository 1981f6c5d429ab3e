"""Start states of an environment as problems. The environment itself is the policy's; nothing is played here."""

from __future__ import annotations

from rlft.environments.protocol import Environment
from rlft.noise import hashed
from rlft.types import Problem, UserError


class Starts:
    """Problem i names one start: its `input` is a hash of (name, split, i), which `reset` turns into a state.

    The start depends on neither the run's seed, nor the visit, nor the number in the group: every rollout of a group
    begins in the same state, on every machine, and a second pass meets the same starts with other noise. Splits are
    disjoint up to a collision of 63-bit hashes.

    environment   an environment, or its name
    size          how many problems; None for no end
    """

    def __init__(self, environment: Environment | str, split: str = "train", size: int | None = None) -> None:
        if size is not None and size < 1:
            raise UserError(f"size must be at least 1, or None for starts without end, not {size}")
        self.name = environment if isinstance(environment, str) else environment.name
        self.split, self.size = split, size

    def at(self, index: int) -> Problem:
        if index < 0 or (self.size is not None and index >= self.size):
            raise UserError(f"{self.name} has no start {index}: its split {self.split!r} has {self.size} of them")
        start = hashed("start", self.name, self.split, index)
        return Problem(index=index, input=start, task=self.name, split=self.split)
