"""Whole episodes of whatever acts state by state from given noise. Nothing is kept that a method could score."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from rlft.acting import Acting
from rlft.environments.play import play
from rlft.environments.protocol import Environment
from rlft.noise import row_keys
from rlft.types import Problem, Rollouts, UserError

# Noise is drawn for this many decisions at a time: one call costs a millisecond whatever its size.
BLOCK = 32


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
        noise = torch.zeros(0)

        def act(observation: Tensor, alive: Tensor, decision: int) -> Tensor:
            nonlocal noise
            if decision % BLOCK == 0:
                noise = policy.noise(keys, torch.arange(decision, decision + BLOCK, device=keys.device))
            return world.action.stretch(policy.act(observation.double(), noise[alive, decision % BLOCK]))

        played = play(world, starts_of(rows, keys.device), keys, act, policy.chunk)
        nothing = torch.zeros(len(rows), -(-played.actions.shape[1] // policy.chunk), device=keys.device)
        return Rollouts(rows, group, played.episodes(), {}, nothing.bool(), nothing)


def starts_of(problems: Sequence[Problem], device: torch.device | str) -> Int[Tensor, "N"]:
    """The keys of the problems' start states."""
    for problem in problems:
        if not isinstance(problem.input, int):
            raise UserError(f"a control problem's input is the integer that names its start, not {problem.input!r:.80}")
    return torch.tensor([problem.input for problem in problems], dtype=torch.int64, device=device)
