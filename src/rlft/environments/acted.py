"""Whole episodes of whatever acts state by state from given noise. Nothing is kept that a method could score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rlft.environments.play import play
from rlft.environments.protocol import Environment
from rlft.noise import row_keys
from rlft.types import Problem, Rollouts, UserError
from rlft.types.acting import Acting, Believing

# One call for noise costs a millisecond whatever its size.
_BLOCK = 32


class Blocks:
    """The noise of rows' decisions, drawn for 32 of them at a time."""

    def __init__(self, keys: Int[Tensor, "N"]) -> None:
        self.keys, self.first = keys, -1

    def at(self, noise: Callable[[Tensor, Tensor], Tensor], decision: int) -> Float[Tensor, "N *E"]:
        """Of this decision of all rows; `noise` makes [N D *E] of keys [N] and decisions [D]."""
        first = decision - decision % _BLOCK
        if self.first != first:
            self.first = first
            self.held = noise(self.keys, torch.arange(first, first + _BLOCK, device=self.keys.device))
        return self.held[:, decision % _BLOCK]


@dataclass
class Memory:
    """What policies act on in each of N rows: the observation, or a belief of all that they have seen, kept here."""

    belief: Float[Tensor, "N M"]

    @classmethod
    def blank(cls, policy: Acting, rows: int) -> Memory:
        """Before anything was seen."""
        return cls(policy.blank(rows) if isinstance(policy, Believing) else torch.zeros(rows, 0))

    def after(self, policy: Acting, observation: Float[Tensor, "n O"], alive: Int[Tensor, "n"]) -> Float[Tensor, "n X"]:
        """What `act` is given in these rows, now that this is seen there."""
        if not isinstance(policy, Believing):
            return observation
        known = policy.believe(self.belief[alive].to(observation), observation)
        self.belief = self.belief.to(known).index_copy(0, alive, known)
        return known

    def did(self, policy: Acting, action: Num[Tensor, "n h A"], alive: Int[Tensor, "n"]) -> None:
        """The decisions that were taken in these rows, in units of their space."""
        if isinstance(policy, Believing):
            known = policy.did(self.belief[alive], action.to(self.belief))
            self.belief = self.belief.index_copy(0, alive, known)


class Acted:
    """A sampler: the policy acts in the environment, each row with noise of its own.

    Its decisions have no density here, so no row has any on the mask. Acting is in float64, so that a row does not
    depend on its neighbours.
    """

    def __init__(self, policy: Acting, environment: Environment, device: torch.device | str = "cpu") -> None:
        self.policy, self.environment, self.device = policy, environment, device

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` episodes from the start of each problem."""
        world, policy = self.environment, self.policy
        rows = tuple(problem for problem in problems for _ in range(group))
        keys = row_keys(problems, group, seed, self.device)
        noise, memory = Blocks(keys), Memory.blank(policy, len(rows))

        def act(observation: Tensor, alive: Tensor, decision: int) -> Tensor:
            known = memory.after(policy, observation.double(), alive)
            unit = policy.act(known, noise.at(policy.noise, decision)[alive])
            memory.did(policy, unit, alive)
            return world.action.stretch(unit)

        played = play(world, starts_of(rows, keys.device), keys, act, policy.chunk)
        nothing = torch.zeros(len(rows), -(-played.actions.shape[1] // policy.chunk), device=keys.device)
        return Rollouts(rows, group, played.episodes(), {}, nothing.bool(), nothing)


def starts_of(problems: Sequence[Problem], device: torch.device | str) -> Int[Tensor, "N"]:
    """The keys of the problems' start states."""
    for problem in problems:
        if not isinstance(problem.input, int):
            raise UserError(f"a control problem's input is the integer that names its start, not {problem.input!r:.80}")
    return torch.tensor([problem.input for problem in problems], dtype=torch.int64, device=device)
