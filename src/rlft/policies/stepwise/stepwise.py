"""What policies that refine a state step by step share: diffusion, flow, masked diffusion. Not for language models,
which have their own engine.

Such a policy says three things: where a row starts, how the next state is distributed given this one, and what the
last state means. `sample`, `log_prob` and `kl` follow, for every family alike.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from rlft.noise import ACTION, branch_keys, normal, row_keys
from rlft.policies.resume import parents
from rlft.types import Problem, Rollouts, UserError

Event = Literal["sum", "mean", "sqrt"]
"""How the E elementwise log-probabilities of one step become the log-probability of one decision.

`sum` is the log-density of the step. `mean` divides it by E, as DDPO's and Flow-GRPO's code does, and `sqrt` by √E.
Only under `sum` does the ratio of two policies have mean 1: with k = |Δμ|²/s² its mean under `mean` is
exp(-k·(E - 1) / (2·E²)), below 1 whatever the policy does. A clip range therefore belongs to an event: at the same
step a log-ratio is E (or √E) times smaller under `mean` (or `sqrt`), and so must the clip be.
"""


def event_scale(event: Event, size: int) -> float:
    """What the sum over E = `size` elementwise log-probabilities is multiplied with."""
    scales = {"sum": 1.0, "mean": 1 / size, "sqrt": 1 / math.sqrt(size)}
    if event not in scales:
        raise UserError(f"event={event!r}: a step's log-probability is the 'sum', 'mean' or 'sqrt' over its dimensions")
    return scales[event]


@runtime_checkable
class Ahead(Protocol):
    """The distribution of M rows' next states. `ahead[rows]` are some of the rows; drawing is a function of noise."""

    @property
    def stochastic(self) -> Bool[Tensor, "M"]:
        """The rows that are decisions."""
        ...

    def noise(self, keys: Int[Tensor, "M"], k: int) -> Float[Tensor, "M *Z"]:
        """What `draw` needs at step k for the rows with these keys."""
        ...

    def draw(self, z: Float[Tensor, "M *Z"]) -> Shaped[Tensor, "M *S"]:
        """The next states for this noise."""
        ...

    def log_prob(self, x: Shaped[Tensor, "M *S"]) -> Float[Tensor, "M"]:
        """Of each row's step to x, float64; 0 where a row is no decision."""
        ...

    def kl(self, other: Any) -> Float[Tensor, "M"]:
        """KL(self ‖ other) of each row, float64; 0 where a row is no decision."""
        ...

    def __getitem__(self, rows: Tensor) -> Any: ...


@runtime_checkable
class Foresees(Protocol):
    """The policy refines a state and can say, on the way, what it is likely to end with: diffusion, flow, masked
    diffusion. What guidance at inference time needs of it; the names are those of `Stepwise`."""

    steps: int

    def keys(self, problems: Sequence[Problem], group: int, seed: int) -> Int[Tensor, "N"]: ...

    def condition(self, problems: Sequence[Problem]) -> Tensor: ...

    def start(self, keys: Int[Tensor, "N"]) -> Shaped[Tensor, "N *S"]: ...

    def foresee(
        self, x: Shaped[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Tensor
    ) -> tuple[Ahead, Shaped[Tensor, "M *S"]]:
        """How step k leads on from states x, and the last states predicted there, for one call of the network."""
        ...

    def decode(self, x: Shaped[Tensor, "N *S"]) -> Any: ...


@dataclass(frozen=True)
class Gaussian:
    """The next state of M rows: mean and std [M, *S]. A row whose std is 0 is not a decision.

    Log-densities are added up in float64: summed over thousands of dimensions in float32 they are only good to 1e-3,
    which is more than many a clip range.
    """

    mean: Float[Tensor, "M *S"]
    std: Float[Tensor, "M *S"]
    scale: float

    @property
    def stochastic(self) -> Bool[Tensor, "M"]:
        """The rows that are decisions."""
        return (self.std > 0).flatten(1).all(dim=1)

    def __getitem__(self, rows: Tensor) -> Gaussian:
        """Some of the rows."""
        return Gaussian(self.mean[rows], self.std[rows], self.scale)

    def noise(self, keys: Int[Tensor, "M"], k: int) -> Float[Tensor, "M *S"]:
        """Standard normal, float64, from ACTION at k."""
        return step_noise(keys, k, self.mean.shape[1:])

    def draw(self, z: Float[Tensor, "M *S"]) -> Float[Tensor, "M *S"]:
        """The next state for this standard normal noise."""
        return self.mean + self.std * z.to(self.mean)

    def log_prob(self, x: Float[Tensor, "M *S"]) -> Float[Tensor, "M"]:
        """Σ -(x - μ)²/(2s²) - log s - ½·log 2π, times the event's scale, in float64; 0 where a row is no decision."""
        noisy, std = self._safe()
        z = (x - self.mean).double() / std
        each = -z.square() / 2 - std.log() - math.log(2 * math.pi) / 2
        return torch.where(noisy, self.scale * each.flatten(1).sum(dim=1), 0)

    def kl(self, other: Gaussian) -> Float[Tensor, "M"]:
        """KL(self ‖ other) = Σ log(s'/s) + (s² + (μ - μ')²)/(2s'²) - ½, times the event's scale, in float64."""
        (noisy, std), (_, theirs) = self._safe(), other._safe()
        apart = (self.mean - other.mean).double()
        each = (theirs / std).log() + (std.square() + apart.square()) / (2 * theirs.square()) - 0.5
        return torch.where(noisy, self.scale * each.flatten(1).sum(dim=1), 0)

    def _safe(self) -> tuple[Tensor, Tensor]:
        """Which rows are decisions, and a std that divides without infinities, so that the others' gradient is 0."""
        noisy = self.stochastic
        wide = noisy.view(-1, *[1] * (self.std.dim() - 1))
        return noisy, torch.where(wide, self.std, 1).double()


class Stepwise(nn.Module, ABC):
    """A policy of `steps` decisions, each of which draws the next state: from a Gaussian, or letters behind masks.

    A decision's column is its step: D = K = `steps`; column k leads from `states[:, k]` to `states[:, k + 1]`. The
    trace holds `states` [N, K+1, *S], in the type in which they are scored again; `data` [N, *S], the last of them;
    `condition` [N, ...], what the problem asked for; and `key` [N], the row's noise.
    """

    steps: int

    @abstractmethod
    def condition(self, problems: Sequence[Problem]) -> Tensor:
        """[P, ...] what the network is told about each problem; raises UserError if it cannot be told."""

    @abstractmethod
    def start(self, keys: Int[Tensor, "N"]) -> Shaped[Tensor, "N *S"]:
        """The first state of the rows with these keys."""

    @abstractmethod
    def step(self, x: Shaped[Tensor, "M *S"], k: Int[Tensor, "M"], condition: Tensor) -> Any:
        """How step k leads on from states x, an `Ahead`. A row's numbers do not depend on the other rows, to the last
        bit."""

    @abstractmethod
    def decode(self, x: Shaped[Tensor, "N *S"]) -> Any:
        """What rewards see of the last state."""

    def save(self, folder: Path) -> None:
        """`weights.safetensors`: a state dict, for a policy that is built in the same way to load."""
        from safetensors.torch import save_model

        folder.mkdir(parents=True, exist_ok=True)
        save_model(self, str(folder / "weights.safetensors"))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(chain(self.parameters(), self.buffers()), torch.zeros(())).device

    def keys(self, problems: Sequence[Problem], group: int, seed: int) -> Int[Tensor, "N"]:
        """The rows' noise keys, on the policy's device."""
        if not problems or group < 1:
            raise UserError(
                f"{len(problems)} problems in groups of {group}: ask for at least one rollout of one problem"
            )
        return row_keys(problems, group, seed, self.device)

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` rollouts for each problem: the start from the stream START, step k's noise from ACTION at k."""
        keys = self.keys(problems, group, seed)
        condition = self.condition(problems).repeat_interleave(group, dim=0)
        states = _along(self.start(keys), self.steps)
        everyone = tuple(problem for problem in problems for _ in range(group))
        return self._refined(everyone, group, keys, condition, states, torch.zeros_like(keys))

    def told(self, rollouts: Rollouts) -> Tensor:
        """What the network is told of rows, their conditions: ready for it also where others have drawn the rows."""
        return rollouts.trace["condition"]

    @torch.no_grad()
    def resume(self, rollouts: Rollouts, at: Int[Tensor, "N"], group: int, seed: int) -> Rollouts:
        """`group` continuations of each row from its state before step `at` on; see `types.Resumable`."""
        if rollouts.mask.shape[1] != self.steps:
            raise UserError(f"rows of {rollouts.mask.shape[1]} steps cannot go on with a policy of {self.steps}")
        steps = torch.full((len(rollouts),), self.steps, device=self.device)
        rows, cut = parents(rollouts, at, steps, group)
        keys = branch_keys(rollouts.problems, at, group, seed, self.device)
        # at 0 nothing has been decided: the row is a new one, and so is its start
        new = (cut == 0).view(-1, *[1] * (rows.trace["states"].ndim - 1))
        states = torch.where(new, _along(self.start(keys), self.steps), rows.trace["states"])
        return self._refined(rows.problems, group, keys, self.told(rows), states, cut)

    def _refined(
        self,
        problems: tuple[Problem, ...],
        group: int,
        keys: Int[Tensor, "N"],
        condition: Tensor,
        states: Shaped[Tensor, "N _ *S"],
        at: Int[Tensor, "N"],
    ) -> Rollouts:
        """Rows whose states are given up to the one before step `at`, refined from there to their end."""
        logp = torch.zeros(len(keys), self.steps, dtype=torch.float64, device=keys.device)
        mask = torch.zeros(logp.shape, dtype=torch.bool, device=keys.device)
        begun, rows = at.cpu(), keys[:0]  # read once: an accelerator would wait at every step
        for k in range(self.steps):
            going = (begun <= k).nonzero()[:, 0]
            if not len(going):
                continue
            rows = rows if len(rows) == len(going) else going.to(keys.device)
            ahead = self.step(states[rows, k], torch.full_like(rows, k), condition[rows])
            states[rows, k + 1] = ahead.draw(ahead.noise(keys[rows], k))
            logp[rows, k], mask[rows, k] = ahead.log_prob(states[rows, k + 1]), ahead.stochastic
        data = states[:, -1].contiguous()
        trace = {"states": states, "condition": condition, "data": data, "key": keys}
        return Rollouts(problems, group, self.decode(data), trace, mask, logp)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The log-probability of each decision on the mask, in one call of `step`; float64, 0 off the mask.

        Only decisions on the mask are evaluated, so a narrower mask (a window, an interval) costs less.
        """
        rows, slots = rollouts.mask.nonzero(as_tuple=True)
        states = rollouts.trace["states"]
        ahead = self.step(states[rows, slots], slots, self.told(rollouts)[rows])
        logp = ahead.log_prob(states[rows, slots + 1])
        return logp.new_zeros(rollouts.mask.shape).index_put((rows, slots), logp)

    def kl(self, rollouts: Rollouts, reference: Stepwise) -> Float[Tensor, "N D"]:
        """KL(self ‖ reference) of each decision at the visited states, in closed form; 0 off the mask.

        The reference has no gradient. With the same rule it is |Δμ|²/(2s²). Reduced as the log-probabilities are, so
        that it is the mean of `self.log_prob - reference.log_prob` over the policy's own steps under every event.
        """
        if reference.steps != self.steps:
            raise UserError(
                f"the policy takes {self.steps} steps and its reference {reference.steps}: give both the same"
            )
        rows, slots = rollouts.mask.nonzero(as_tuple=True)
        here, condition = rollouts.trace["states"][rows, slots], self.told(rollouts)[rows]
        ahead = self.step(here, slots, condition)
        with torch.no_grad():
            theirs = reference.step(here, slots, condition)
        kl = ahead.kl(theirs)
        return kl.new_zeros(rollouts.mask.shape).index_put((rows, slots), kl)


def _along(start: Shaped[Tensor, "N *S"], steps: int) -> Shaped[Tensor, "N _ *S"]:
    """Room for all states of rows that start here."""
    states = start.new_zeros(len(start), steps + 1, *start.shape[1:])
    states[:, 0] = start
    return states


def step_noise(keys: Int[Tensor, "N"], k: int, shape: Sequence[int]) -> Float[Tensor, "N *S"]:
    """The noise of step k, float64."""
    return normal(keys, torch.tensor([k], device=keys.device), shape, ACTION)[:, 0]


def class_numbers(problems: Sequence[Problem], classes: int, device: torch.device) -> Int[Tensor, "P"]:
    """The class that each problem's input asks for; `classes` for None. UserError for anything else."""
    for problem in problems:
        known = isinstance(problem.input, int) and 0 <= problem.input < classes
        if not (known or problem.input is None):
            some = f"a class from 0 to {classes - 1}, or None" if classes else "None: it has no classes"
            raise UserError(f"problem {problem.index} asks for {problem.input!r}; this denoiser expects {some}")
    return torch.tensor([classes if problem.input is None else problem.input for problem in problems], device=device)


def in_blocks(size: int, *columns: Shaped[Tensor, "M *_"]) -> Iterator[tuple[Tensor, ...]]:
    """These columns of M rows, always exactly `size` rows of each at a time: what is missing at the end is zeros."""
    spare = -len(columns[0]) % size
    filled = (torch.cat([column, column.new_zeros(spare, *column.shape[1:])]) for column in columns)
    return zip(*(column.split(size) for column in filled), strict=True)
