"""Worlds played side by side into a buffer, a step at a time. Learns nothing, and decides nothing about learning.

Worlds begin together and are stepped until the last has ended: a wave. So all of them are at the same step, an
episode is never reset in the middle, and whatever a world keeps inside itself (a simulator's state) is restored by
playing the wave's own actions again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from rlft.environments.acted import Blocks, Memory, starts_of
from rlft.environments.protocol import Box, Environment, Episode, Space
from rlft.noise import row_keys, uniform
from rlft.offpolicy.buffer import Buffer
from rlft.training.stream import Stream
from rlft.types import Problem
from rlft.types.acting import Acting


class Collector:
    """`rows` worlds of an environment, whose starts are a task's problems in their order.

    Every world has the noise of (seed, its problem, its visit), as a rollout has, whatever its neighbours do. The
    environment is copied, so that evaluations do not disturb it.
    """

    def __init__(self, environment: Environment, stream: Stream, buffer: Buffer, rows: int, seed: int) -> None:
        self.environment, self.stream, self.buffer = copy.deepcopy(environment), stream, buffer
        self.rows, self.seed = rows, seed
        self.t = 0
        self.alive = torch.zeros(0, dtype=torch.int64, device=buffer.device)

    def step(self, policy: Acting, anything: bool = False) -> list[tuple[Problem, Episode]]:
        """One step of every world that has not ended; the episodes that end with it.

        anything   actions are uniform, and the policy is not asked
        """
        if not len(self.alive):
            self._begin(policy.chunk)
            self.memory = Memory.blank(policy, self.rows)
        at = self.t % policy.chunk
        if at == 0:
            decision = self.t // policy.chunk
            known = self._known(policy)
            drawn = self._anything(policy.chunk, decision) if anything else self._drawn(policy, known, decision)
            self.memory.did(policy, drawn, self.alive)
            self.plan[self.alive] = drawn.to(self.plan)
        unit = self.plan[self.alive, at]
        seen, rows = self.seen, self.alive
        reward, terminated, on = self._act(unit, policy.chunk)
        after = self.slots[rows, self.t - 1] if self.t else torch.full_like(rows, -1)
        slots = self.buffer.add(seen, unit, reward, self.seen, terminated, after)
        self.slots[rows, self.t] = slots
        self.t += 1
        ended = [self._finished(row, bool(terminated[i])) for i, row in enumerate(rows.tolist()) if not on[i]]
        self._keep(on)
        return ended

    def _begin(self, chunk: int) -> None:
        """A new wave from the task's next starts."""
        world, device, problems = self.environment, self.buffer.device, self.stream.take(self.rows)
        self.problems, self.t = problems, 0
        self.keys = row_keys(problems, 1, self.seed, device)
        self.noise = Blocks(self.keys)
        self.state = world.reset(starts_of(problems, device))
        self.seen = world.observe(self.state)
        shape = (len(problems), world.horizon)
        self.observations = self.seen.new_zeros(shape[0], shape[1] + 1, self.seen.shape[1])
        self.observations[:, 0] = self.seen
        self.actions = torch.zeros(*shape, world.action.size, dtype=world.action.dtype, device=device)
        self.units = torch.zeros_like(self.actions)
        self.rewards = self.seen.new_zeros(shape)
        self.slots = torch.full(shape, -1, device=device)
        self.plan = torch.zeros(shape[0], chunk, world.action.size, dtype=world.action.dtype, device=device)
        self.alive = torch.arange(len(problems), device=device)

    def _act(self, unit: Num[Tensor, "n A"], chunk: int) -> tuple[Tensor, Bool[Tensor, "n"], Bool[Tensor, "n"]]:
        """Step the worlds: their rewards, which of them the world itself ended, and which go on."""
        world, rows, t = self.environment, self.alive, self.t
        action = world.action.stretch(unit)
        step = world.step(self.state, action, t, self.keys[rows])
        self.state, self.seen = step.state, world.observe(step.state)
        self.observations[rows, t + 1], self.rewards[rows, t] = self.seen, step.reward.to(self.rewards)
        self.actions[rows, t], self.units[rows, t] = action, unit
        # the horizon ends a world that does not keep its own time limit
        on = ~(step.terminated | step.truncated) & (t + 1 < world.horizon)
        return step.reward, step.terminated, on

    def _keep(self, on: Bool[Tensor, "n"]) -> None:
        if not bool(on.all()):
            self.alive, self.state, self.seen = self.alive[on], self.state[on], self.seen[on]

    def _finished(self, row: int, terminated: bool) -> tuple[Problem, Episode]:
        """An episode that has just ended, of self.t steps; its returns are filled in."""
        self.buffer.credit(self.slots[row, : self.t])
        episode = Episode(
            self.observations[row, : self.t + 1].clone(),
            self.actions[row, : self.t].clone(),
            self.rewards[row, : self.t].clone(),
            terminated=terminated,
            truncated=not terminated,
            chunk=self.plan.shape[1],
        )
        return self.problems[row], episode

    @torch.no_grad()
    def _known(self, policy: Acting) -> Float[Tensor, "n X"]:
        return self.memory.after(policy, self.seen.to(self.buffer.dtype), self.alive)

    @torch.no_grad()
    def _drawn(self, policy: Acting, known: Tensor, decision: int) -> Num[Tensor, "n h A"]:
        return policy.act(known, self.noise.at(policy.noise, decision)[self.alive])

    def _anything(self, chunk: int, decision: int) -> Num[Tensor, "n h A"]:
        space = self.environment.action
        numbers = chunk * space.size
        index = torch.arange(numbers, device=self.keys.device) + decision * numbers
        return anything(space, uniform(self.keys[self.alive], index)).unflatten(1, (chunk, space.size))

    def state_dict(self) -> dict[str, Any]:
        """Where the stream was when the wave began, and what has been done since."""
        if not len(self.alive):
            return {"position": self.stream.position, "t": 0}
        return {
            "position": self.stream.position - self.rows,
            "t": self.t,
            "units": self.units[:, : self.t].clone(),
            "slots": self.slots[:, : self.t].clone(),
            "plan": self.plan.clone(),
            "belief": self.memory.belief.clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Play the wave again up to where it was."""
        self.stream.position = int(state["position"])
        self.alive, self.t = self.alive[:0], 0
        if not state["t"]:
            return
        chunk = state["plan"].shape[1]
        self._begin(chunk)
        for t in range(int(state["t"])):
            _, _, on = self._act(state["units"][self.alive.cpu(), t].to(self.units), chunk)
            self.t += 1
            self._keep(on)
        self.slots[:, : self.t] = state["slots"].to(self.slots)
        self.plan = state["plan"].to(self.plan)
        self.memory = Memory(state["belief"].to(self.plan.device))


def anything(space: Space, u: Tensor) -> Tensor:
    """Uniform actions of a space, in its units, from uniform numbers."""
    return 2 * u - 1 if isinstance(space, Box) else (u * space.n).long()
