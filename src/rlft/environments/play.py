"""Playing episodes to their end, batched; rows that end are dropped. Who acts, and what it remembers, is a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from rlft.environments.protocol import Environment, Episode

Act = Callable[[Tensor, Tensor, int], Tensor]
"""`(observation [n O], rows [n], decision) -> actions [n, chunk, A]` for the rows still alive."""


@dataclass(frozen=True)
class Played:
    """N finished episodes side by side, zeros after each end; T is the longest one's length (observations: T + 1)."""

    observations: Float[Tensor, "N _ O"]
    actions: Num[Tensor, "N T A"]
    rewards: Float[Tensor, "N T"]
    length: Int[Tensor, "N"]
    terminated: Bool[Tensor, "N"]
    truncated: Bool[Tensor, "N"]
    chunk: int

    def episodes(self) -> list[Episode]:
        """One by one, each with memory of its own, so that one can be kept or sent without the rest."""
        ends = zip(self.length.tolist(), self.terminated.tolist(), self.truncated.tolist(), strict=True)
        return [
            Episode(
                observations=self.observations[i, : length + 1].clone(),
                actions=self.actions[i, :length].clone(),
                rewards=self.rewards[i, :length].clone(),
                terminated=terminated,
                truncated=truncated,
                chunk=self.chunk,
            )
            for i, (length, terminated, truncated) in enumerate(ends)
        ]


@torch.no_grad()
def play(
    environment: Environment, starts: Int[Tensor, "N"], keys: Int[Tensor, "N *D"], act: Act, chunk: int = 1
) -> Played:
    """One episode per row. `starts` name the start states, `keys` the noise on the way: a row's, or each decision's.

    Every `chunk` steps `act` is asked for that many actions, which are then taken open loop; an episode may end
    inside a chunk.
    """
    if keys.ndim == 1:
        keys = keys[:, None].expand(-1, -(-environment.horizon // chunk))
    state = environment.reset(starts)
    seen = environment.observe(state)
    rows = torch.arange(len(starts), device=starts.device)
    shape = (len(starts), environment.horizon)
    observations = seen.new_zeros(shape[0], shape[1] + 1, seen.shape[1])
    actions = torch.zeros(*shape, environment.action.size, dtype=environment.action.dtype, device=starts.device)
    rewards = seen.new_zeros(shape)
    length = torch.zeros_like(rows)
    terminated, truncated = torch.zeros_like(rows, dtype=torch.bool), torch.zeros_like(rows, dtype=torch.bool)
    observations[:, 0] = seen
    plan = actions[:, :0]
    for t in range(environment.horizon):
        if t % chunk == 0:
            plan = act(seen, rows, t // chunk)
        action = plan[:, t % chunk]
        step = environment.step(state, action, t, keys[rows, t // chunk])
        seen = environment.observe(step.state)
        actions[rows, t], rewards[rows, t], observations[rows, t + 1] = action, step.reward, seen
        length[rows] += 1
        terminated[rows], truncated[rows] = step.terminated, step.truncated
        on = ~(step.terminated | step.truncated)
        rows, seen, state, plan = rows[on], seen[on], step.state[on], plan[on]
        if not len(rows):
            break
    truncated[rows] = True  # of a world that does not keep its own time limit
    longest = int(length.max()) if len(length) else 0
    cut = (observations[:, : longest + 1], actions[:, :longest], rewards[:, :longest])
    return Played(*cut, length, terminated, truncated, chunk)


def following(given: Num[Tensor, "N D h A"], at: Int[Tensor, "N"], act: Act) -> Act:
    """The given actions before decision `at` of each row, and from there on those of `act`."""

    def player(seen: Tensor, rows: Tensor, decision: int) -> Tensor:
        plan, own = given[rows, decision], decision >= at[rows]
        plan[own] = act(seen[own], rows[own], decision)
        return plan

    return player
