"""Learning inside a model that is fitted to the real steps on the way: whose steps a batch has, and when it is fitted.

As in MBPO (Janner et al. 2019, arXiv:1906.08253) and LIFT (arXiv:2601.21363).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rlft.environments.mechanics import Nominal, Scored
from rlft.environments.protocol import Discrete, Environment
from rlft.noise import hashed
from rlft.offpolicy.buffer import Batch, Buffer, Mixed
from rlft.offpolicy.method import Agent
from rlft.types import UserError
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.physics import Physics
from rlft.worldmodels.protocol import Paths, drawn, error, paths

# Rounds of imagined steps that are kept, and real steps that a scale is taken from.
KEPT, SCALE = 20, 1024
_NOTHING = -1


@dataclass(frozen=True)
class Plan:
    """How much is fitted and imagined.

    real      share of each batch from the real steps
    refit     real steps between two fits of the model
    fits      its updates in each
    batch     stretches in one of them
    unroll    steps of a stretch
    lr, decay    the model's learning rate, and its L2
    starts    imagined rollouts in a round, from what was really seen
    every     updates of the agent for a round
    horizon   steps of a rollout once the model has been fitted `grows` times; 1 after the first, and evenly between
    grows     fits until then
    """

    real: float = 0.06
    refit: int = 100
    fits: int = 100
    batch: int = 128
    unroll: int = 4
    lr: float = 3e-3
    decay: float = 1e-5
    starts: int = 64
    every: int = 20
    horizon: int = 10
    grows: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.real < 1:
            raise UserError(f"the real share of a batch is at least 0 and below 1, not {self.real}")
        if min(self.refit, self.fits, self.batch, self.unroll, self.starts, self.every, self.horizon) < 1:
            raise UserError(f"counts of a world model's fits and rollouts are at least 1: {self}")

    def ahead(self, fitted: int) -> int:
        """Steps of a rollout after so many fits."""
        share = 1.0 if fitted > self.grows else (fitted - 1) / self.grows
        return 1 + round((self.horizon - 1) * share)


def physics(world: Environment, hidden: list[int], members: int, seed: int) -> Physics:
    """A physics-informed model of a world some of whose mechanics are known."""
    if not (isinstance(world, Nominal) and isinstance(world, Scored)):
        raise UserError(
            f"nothing is known of the mechanics of {world.name}, which a physics-informed model needs; use the model "
            "black_box"
        )
    return Physics(world, world.nominal, hidden, seed)


class Imagination:
    """A model of a world, and the steps that an agent takes inside it. See `offpolicy.method.Inside`.

    Fits, rounds and batches draw from the generator of their update, so a run that is resumed is the straight one.
    """

    def __init__(self, model: Physics | BlackBox, agent: Agent, plan: Plan, seed: int) -> None:
        if isinstance(agent.space, Discrete) or agent.policy.chunk != 1:
            raise UserError("learning inside a world model takes single continuous actions: no chunks, no list")
        self.plan, self.seed = plan, seed
        self.model = model.to(next(agent.policy.parameters()).device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=plan.lr, weight_decay=plan.decay, fused=True)
        self.held: Buffer | None = None
        self.fitted, self.last, self.made = 0, _NOTHING, 0

    def windows(
        self, agent: Agent, held: Mixed, count: int, generator: torch.Generator, steps: int
    ) -> tuple[Batch, Mapping[str, Tensor | float]]:
        """A batch of both: the model is refitted and asked first where that is due, after `steps` real steps."""
        notes: dict[str, Tensor | float] = {}
        if self.last == _NOTHING or steps >= self.last + self.plan.refit:
            notes = {**self.fit(held, generator)}
            self.last = steps
        if notes or self.made % self.plan.every == 0:
            notes = {**notes, **self.imagine(agent, held, generator)}
        self.made += 1
        real = round(self.plan.real * count)
        assert self.held is not None
        parts = [self.held.sample(count - real, generator)]
        return Batch.concat([*parts, held.sample(real, generator)] if real else parts), notes

    def fit(self, held: Mixed, generator: torch.Generator) -> Mapping[str, Tensor | float]:
        """Some more updates of the model, on all real steps; its error before them, on those that are new to it."""
        plan, buffers = self.plan, _real(held)
        off = error(self.model, _newest(held.online, plan.refit, plan.unroll)) if self.fitted and held.online else {}
        self.model.standardise(drawn(buffers, SCALE, 1, generator))
        notes: dict[str, Tensor] = {}
        for _ in range(plan.fits):
            loss, notes = self.model.loss(drawn(buffers, plan.batch, plan.unroll, generator))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            notes["model/loss"] = loss.detach()
        self.fitted += 1
        return {**off, **notes}

    @torch.no_grad()
    def imagine(self, agent: Agent, held: Mixed, generator: torch.Generator) -> Mapping[str, float]:
        """A round of rollouts of the policy as it explores, into the buffer of imagined steps."""
        plan, model, steps = self.plan, self.model, self.plan.ahead(self.fitted)
        seen = drawn(_real(held), plan.starts, 1, generator).observations[:, 0]
        if self.held is None:
            self.held = self._room(agent, held.online)
        state = model.start(seen)
        for _ in range(steps):
            unit = agent.policy.candidates(seen, 1, generator).action[:, 0, 0]
            noise = torch.randn((len(state), model.noise_size), generator=generator).to(state)
            new, reward, over = model.step(state, agent.space.stretch(unit), noise)
            after = model.observe(new)
            first = torch.full((len(state),), _NOTHING, device=state.device)
            self.held.add(seen, unit, reward, after, over, first)
            state, seen = new[~over], after[~over]
            if not len(state):
                break
        return {"imagined/steps": float(steps)}

    def _room(self, agent: Agent, like: Buffer) -> Buffer:
        plan, size = self.plan, like.columns["observation"].shape[1]
        return Buffer(KEPT * plan.starts * plan.horizon, size, agent.space, dtype=like.dtype, device=like.device)

    def state_dict(self) -> dict[str, Any]:
        """Everything, to go on bit for bit."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "held": None if self.held is None else self.held.state_dict(),
            "counts": [self.fitted, self.last, self.made],
        }

    def load_state_dict(self, state: Mapping[str, Any], agent: Agent, held: Mixed) -> None:
        """Take a state back."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.fitted, self.last, self.made = state["counts"]
        if state["held"] is not None:
            self.held = self._room(agent, held.online)
            self.held.load_state_dict(state["held"])


def _real(held: Mixed) -> list[Buffer]:
    """The buffers of real steps: given ones where batches have a share of them, and its own."""
    given = [held.offline] if held.offline is not None and held.share else []
    return [*given, held.online] if len(held.online) else given


def _newest(buffer: Buffer, count: int, steps: int) -> Paths:
    """The stretches that begin in the last so many steps."""
    back = torch.arange(1, min(count, len(buffer)) + 1, device=buffer.device)
    return paths(buffer, (buffer.added - back) % buffer.capacity, steps)


def model_of(kind: str | None, world: Environment, hidden: list[int], members: int, seed: int) -> Physics | BlackBox:
    """The model of this kind; None is physics where something is known of the world's mechanics, else a black box."""
    informed = kind == "physics" or (kind is None and isinstance(world, Nominal) and isinstance(world, Scored))
    seed = hashed("world model", seed) % 2**31
    return physics(world, hidden, members, seed) if informed else BlackBox(world, hidden, members, seed)
