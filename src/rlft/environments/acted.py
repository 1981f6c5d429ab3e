"""Whole episodes of whatever acts state by state from given noise. Nothing is kept that a method could score."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.environments.play import play
from rlft.environments.protocol import Environment
from rlft.noise import row_keys
from rlft.types import Problem, Rollouts, UserError
from rlft.types.acting import Acting

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
        noise = Blocks(keys)

        def act(observation: Tensor, alive: Tensor, decision: int) -> Tensor:
            return world.action.stretch(policy.act(observation.double(), noise.at(policy.noise, decision)[alive]))

        played = play(world, starts_of(rows, keys.device), keys, act, policy.chunk)
        nothing = torch.zeros(len(rows), -(-played.actions.shape[1] // policy.chunk), device=keys.device)
        return Rollouts(rows, group, played.episodes(), {}, nothing.bool(), nothing)


def starts_of(problems: Sequence[Problem], device: torch.device | str) -> Int[Tensor, "N"]:
    """The keys of the problems' start states."""
    for problem in problems:
        if not isinstance(problem.input, int):
            raise UserError(f"a control problem's input is the integer that names its start, not {problem.input!r:.80}")
    return torch.tensor([problem.input for problem in problems], dtype=torch.int64, device=device)
