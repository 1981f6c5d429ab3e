"""The loop of learning from a buffer: step worlds, draw windows, descend. Knows no method, no file.

    iteration = one step of every world that runs, then the updates that are due        (without worlds: one update)
    step      = iterations until `interval` environment steps are taken                 (without worlds: updates made)

It is a second loop beside the Trainer's because its data outlives the step that drew them, and an update follows a
single step of the world and not a batch of whole rows. What runs, checkpoints and reports ask of a Trainer holds here
too: `advance` does one iteration, can be stopped after any, and `state_dict` holds the buffer, the worlds' place, the
optimisers and the open accounts, so that another that is built the same way goes on bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from rlft.environments.menu import innermost
from rlft.environments.protocol import Environment, Episode, Stored
from rlft.errors import incapable
from rlft.noise import hashed
from rlft.offpolicy.buffer import Batch, Buffer, Mixed
from rlft.offpolicy.collector import Collector
from rlft.offpolicy.method import Agent, Descent, Fit, Inside, OffPolicy
from rlft.runtime.local import Local
from rlft.tasks.starts import Starts
from rlft.training.ledger import Ledger, Metrics
from rlft.training.loop import Loop
from rlft.training.stream import Stream
from rlft.types import Problem, Remote, Reward, Rollouts, Runtime, Task, UserError
from rlft.types.acting import Acting

Optimizer = Callable[[Sequence[nn.Parameter], float], torch.optim.Optimizer]
# What a Learner has counted: all of them whole numbers.
_COUNTS = ("steps_done", "updates_done", "within", "drawn", "phase_updates", "updated")


def adam(parameters: Sequence[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """Adam, one kernel for all tensors."""
    return torch.optim.Adam(parameters, lr=lr, fused=True)


@dataclass(frozen=True)
class Phase:
    """A stretch of a run: what learns, from which data, and how fast.

    method    what an update is
    steps     of the Learner; None goes on to the end, and only the last phase may
    worlds    stepped side by side; 0 learns from data alone
    utd       updates for each environment step, after `warmup`
    offline   share of each batch from the given data
    anything  environment steps at the beginning whose actions are uniform
    warmup    environment steps before the first update (at least one)
    restart   optimisers, by name, that forget their moments when the phase begins
    """

    method: OffPolicy
    steps: int | None = None
    worlds: int = 1
    utd: float = 1.0
    offline: float = 0.0
    anything: int = 0
    warmup: int = 1
    restart: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.worlds < 0 or self.utd < 0 or (self.steps is not None and self.steps < 1):
            raise UserError(f"worlds and utd are not negative and steps at least 1, not {self!r:.200}")
        if self.worlds == 0 and self.offline != 1.0:
            raise UserError("a phase without worlds learns from data alone: set offline=1.0")


class Learner(Loop):
    """One policy, one environment, phases of learning.

    policy, environment   see `rlft.types.acting` and `rlft.environments.protocol`
    phases                one after the other; a single method is one phase of one world
    data                  episodes to learn from, for phases with a share of `offline`
    task                  starts to play; by default those of the environment, without end
    capacity              environment steps the buffer holds, on the device of the policy; observations are stored in
                          the environment's own type where it says one (pixels)
    batch                 windows of an update
    interval              environment steps (without worlds: updates) of one step, which is a line of metrics
    hidden                layers of the critics
    reward                how evaluations are scored; learning is paid by the environment
    seen                  called with the episodes that ended in an iteration, to log samples

    Minibatches and the noise of updates are drawn from a generator seeded with (seed, number of the update), on the
    CPU, so they are the same on every device; the noise of acting belongs to the world (`Collector`). One process.
    """

    def __init__(
        self,
        policy: Any,
        environment: Environment,
        phases: Sequence[Phase],
        *,
        data: Sequence[Episode] = (),
        task: Task | None = None,
        reward: Reward | None = None,
        capacity: int = 1_000_000,
        batch: int = 256,
        interval: int = 1000,
        lr: float = 3e-4,
        hidden: Sequence[int] = (256, 256),
        dtype: torch.dtype = torch.float32,
        optimizer: Optimizer = adam,
        seed: int = 0,
        runtime: Runtime | None = None,
    ) -> None:
        self.policy, self.environment, self.phases = policy, environment, tuple(phases)
        self.task: Task = task or Starts(environment)
        self.reward, self.batch, self.interval, self.lr, self.seed = reward, batch, interval, lr, seed
        self.hidden = list(hidden)
        # Called with each batch of rewarded rollouts and the reward's parts: a run logs samples so.
        self.seen: Callable[[int, Rollouts, Mapping[str, Tensor]], None] = lambda step, rollouts, parts: None
        self.runtime: Runtime = runtime or Local()
        _check(self)
        device = next(policy.parameters()).device
        self.agent = Agent(policy, environment, _union(self.phases), hidden=self.hidden, seed=seed).to(device)
        gammas = [phase.method.gamma for phase in self.phases if phase.method.gamma is not None]
        about: dict[str, Any] = {"gamma": next(iter(gammas), None), "dtype": dtype, "device": device}
        inner = innermost(environment)
        narrow = isinstance(inner, Stored) and not inner.observation_dtype.is_floating_point
        about["observations"] = inner.observation_dtype if isinstance(inner, Stored) and narrow else None
        size, space = environment.observation_size, environment.action
        self.buffer = Buffer(capacity, size, space, **about)
        self.offline = Buffer(max(sum(map(len, data)), 1), size, space, **about) if data else None
        if self.offline is not None:
            self.offline.extend(data)
        self.make_optimizer = optimizer
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.stream, self.ledger = Stream(self.task, seed), Ledger()
        self.steps_done = self.updates_done = 0  # updates_done: iterations within the step
        self.within = self.drawn = self.phase_updates = self.updated = 0
        self.begin_phase()

    @property
    def phase(self) -> Phase:
        """The phase that the next iteration belongs to."""
        return self.phases[self._phase_number()]

    @property
    def method(self) -> OffPolicy:
        """What an update is now."""
        return self.phase.method

    def settle(self) -> None:
        """Nothing goes on in the background."""

    def advance(self) -> Metrics | None:
        """One iteration; the step's metrics once it is complete."""
        phase = self.phase
        self.within += self.collect(phase) if phase.worlds else 1
        due = self.drawn >= phase.warmup and phase.utd * (self.drawn - phase.warmup + 1) if phase.worlds else torch.inf
        with self.ledger.timed("update"):
            while self.phase_updates + 1 <= due:
                self.update(phase)
                if not phase.worlds:
                    break
        self.updates_done += 1
        if self.within < self.interval:
            return None
        before = self._phase_number()
        self.steps_done, self.updates_done, self.within = self.steps_done + 1, 0, 0
        if self._phase_number() != before:
            self.begin_phase()
        return {"step": self.steps_done, **self.ledger.close(self.runtime)}

    def collect(self, phase: Phase) -> int:
        """One step of each world; how many there were."""
        with self.ledger.timed("sample"):
            before = self.buffer.added
            ended = self.collector.step(phase.method.acting(self.agent), anything=self.drawn < phase.anything)
            taken = self.buffer.added - before
        self.drawn += taken
        self.ledger.add("decisions/drawn", float(taken), 1.0)
        if ended:
            self.report(ended)
        return taken

    def report(self, ended: Sequence[tuple[Problem, Episode]]) -> None:
        """Log episodes that have ended."""
        returns = torch.tensor([float(episode.rewards.sum()) for _, episode in ended], dtype=torch.float64)
        self.ledger.add("reward", returns.sum(), len(ended))
        self.ledger.add("reward/square", returns.square().sum(), len(ended))
        self.ledger.add("length", float(sum(len(episode) for _, episode in ended)), len(ended))
        self.ledger.add("rows/drawn", float(len(ended)), 1.0)
        if self.ledger.sums["reward"][1] > len(ended):  # the first of a step are shown, and not all of them
            return
        nothing = torch.zeros(len(ended), 0)
        problems, outputs = tuple(p for p, _ in ended), [e for _, e in ended]
        rows = Rollouts(problems, 1, outputs, {}, nothing.bool(), nothing, {"rewards": returns})
        self.seen(self.steps_done + 1, rows, {})

    def update(self, phase: Phase) -> None:
        """Draw windows and take each descent that is due; then move the slow copies."""
        method, number = phase.method, self.updated
        generator = torch.Generator().manual_seed(hashed("update", self.seed, number))
        windows = self.windows(method, generator)
        for descent in method.descents:
            if (number + 1) % descent.every == 0:
                self.descend(descent, descent.loss(self.agent, windows, generator))
        if (number + 1) % method.every == 0:
            self.agent.follow(method.tau)
        self.updated, self.phase_updates = number + 1, self.phase_updates + 1

    def windows(self, method: OffPolicy, generator: torch.Generator) -> Batch:
        """The windows of an update: of what was played, or also of what a world model makes of it."""
        if self.inside is None:
            steps = max(method.steps, self.policy.chunk)
            chunk = steps if method.whole else self.policy.chunk
            return self.mixed.sample(self.batch, generator, steps, chunk, method.whole)
        found, notes = self.inside.windows(self.agent, self.mixed, self.batch, generator, self.drawn)
        for name, value in notes.items():
            self.ledger.add(name, value, 1.0)
        return found

    def descend(self, descent: Descent, fit: Fit) -> None:
        """One step of an optimiser, and of those of the duals whose constraint was measured."""
        parameters, optimizer = descent.parameters(self.agent), self.optimizers[descent.name]
        # a weight that the loss does not reach stays as it is: the deviation of a policy that learns by its centre
        gradients = torch.autograd.grad(fit.loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        for name, measured in fit.measured.items():
            dual = self.agent.dual(name)
            self.ledger.add(name, dual.value, 1.0)
            if dual.lr:
                dual.pull(measured)
                self.optimizers[f"dual/{name}"].step()
        suffix = "" if descent.name == "policy" else f"/{descent.name}"
        self.ledger.add(f"loss{suffix}", fit.loss.detach(), 1.0)
        for name, value in fit.notes.items():
            self.ledger.add(name, value, 1.0)

    def begin_phase(self) -> None:
        """Optimisers, worlds and counts for the phase that begins now; what goes on is left as it is."""
        phase = self.phase
        self._prepare(phase)
        if phase.method.gamma is not None:
            for buffer in (self.buffer, self.offline):
                if buffer is not None:
                    buffer.discount(phase.method.gamma)
        self.mixed = Mixed(self.offline, self.buffer, phase.offline)
        self.collector = Collector(self.environment, self.stream, self.buffer, max(phase.worlds, 1), self.seed)
        self.drawn = self.phase_updates = 0
        make = phase.method.inside
        self.inside: Inside | None = make and make(self.agent, self.environment, self.hidden, self.seed)

    def _prepare(self, phase: Phase) -> None:
        """An optimiser for each descent and dual of a phase, unless there is one that goes on."""
        wanted = {d.name: (d.parameters(self.agent), self.lr * d.lr) for d in phase.method.descents}
        duals = {name: self.agent.dual(name) for name in phase.method.duals}
        wanted |= {f"dual/{name}": (list(dual.parameters()), dual.lr) for name, dual in duals.items()}
        for name, (parameters, lr) in wanted.items():
            if name not in self.optimizers or name in phase.restart:
                self.optimizers[name] = self.make_optimizer(parameters, lr)
            for group in self.optimizers[name].param_groups:
                group["lr"] = lr

    def _phase_number(self) -> int:
        left = self.steps_done
        for number, phase in enumerate(self.phases):
            if phase.steps is None or left < phase.steps:
                return number
            left -= phase.steps
        return len(self.phases) - 1

    def state_dict(self) -> dict[str, Any]:
        """As a Trainer's: everything is `shared` but the open accounts."""
        shared = {
            "agent": self.agent.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "buffer": self.buffer.state_dict(),
            "data": self.offline.fingerprint() if self.offline is not None else "",
            "collector": self.collector.state_dict(),
            "inside": None if self.inside is None else self.inside.state_dict(),
            **{name: getattr(self, name) for name in _COUNTS},
        }
        return {"shared": shared, "own": {"ledger": self.ledger.state_dict()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of a Learner that was built in the same way."""
        shared = state["shared"]
        if shared["data"] != (self.offline.fingerprint() if self.offline is not None else ""):
            raise UserError("the data that this run was started with have changed since; put them back")
        self.steps_done = shared["steps_done"]
        self.agent.load_state_dict(shared["agent"])
        self.buffer.load_state_dict(shared["buffer"])
        self.optimizers = {}
        for phase in self.phases[: self._phase_number()]:  # an optimiser of an earlier phase may be needed again
            self._prepare(phase)
        self.begin_phase()
        for name, optimizer in self.optimizers.items():
            # a copy: an optimiser takes the very tensors it is given
            optimizer.load_state_dict(copy.deepcopy(shared["optimizers"][name]))
        for name in _COUNTS:
            setattr(self, name, shared[name])
        self.collector.load_state_dict(shared["collector"])
        if self.inside is not None:
            self.inside.load_state_dict(shared["inside"], self.agent, self.mixed)
        self.ledger.load_state_dict(state["own"]["ledger"])


def _union(phases: Sequence[Phase]) -> OffPolicy:
    """A method with all the networks and weights that some phase needs; critics must be of one kind."""
    methods = [phase.method for phase in phases]
    if len({(m.critics, m.norm) for m in methods}) > 1:
        raise UserError(f"all phases share the critics, so give these methods equal ones: {[m.name for m in methods]}")
    duals = {name: make for method in reversed(methods) for name, make in method.duals.items()}
    slow, state = any(m.slow_policy for m in methods), any(m.state_value for m in methods)
    return replace(methods[0], duals=duals, slow_policy=slow, state_value=state)


def _check(learner: Learner) -> None:
    """Everything about a run that can be seen to be impossible before it starts."""
    phases = learner.phases
    if not phases or any(phase.steps is None for phase in phases[:-1]):
        raise UserError("give at least one phase, and each but the last a number of steps")
    for phase in phases:
        if not isinstance(phase.method, OffPolicy):
            raise UserError(f"{phase.method!r:.80} does not learn from a buffer: give it to a Trainer")
        for need in (Acting, *phase.method.needs):
            if not isinstance(learner.policy, need):
                raise incapable(phase.method.name, need, learner.policy)
    if learner.batch < 1 or learner.interval < 1:
        raise UserError(f"batch and interval must be at least 1; got {learner.batch} and {learner.interval}")
    if learner.runtime.world > 1 or isinstance(learner.runtime, Remote):
        raise UserError("learning from a buffer runs in one process: start it without torchrun, and without --ray")
