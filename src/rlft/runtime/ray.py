"""Rows drawn, and rewards given, by other processes and machines through Ray, with the numbers of `local`. One learner.

    driver     learns, and deals a step's problems out in pieces            runtime.spread
    sampler    an actor with a copy of the policy: draws the rows of a piece
    reward     a task: what the rows of a batch earn

Nothing is shared, and nothing is remembered that a result depends on: problems, seed, and which weights travel in every
call, because Ray runs the calls of an actor that was started again in any order. A row's noise is that of its run,
problem and sample, so it comes out the same whoever draws it; a sampler that dies loses nothing. Weights go out once
for all samplers, as NumPy arrays by reference, which those of one machine read without copying, and only those that are
trained: of a model with adapters the adapters.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor

from rlft.runtime.local import Local
from rlft.runtime.spread import Lost, spread
from rlft.types import Policy, Problem, Reward, Rollouts, Sampler, Stateful, UserError, untrained

# Pieces to a sampler and step: a slow one then leaves some of its share to the others.
_PIECES = 2


class Sampling:
    """What runs in a sampler's process: a copy of the policy with the weights that a call names."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)
        self.held: tuple[Any, Policy] | None = None
        self.version: Any = None

    def draw(self, made: list[Any], weights: list[Any], version: Any, problems: Any, group: int, seed: int) -> Rollouts:
        """Rows of these problems. `made` and `weights` hold references, and the version is of weights and policy."""
        if self.held is None or self.held[0] != made[0]:
            self.held, self.version = (made[0], library().get(made[0])), None
        policy = self.held[1]
        if self.version != version:
            sent = {name: unpacked(value) for name, value in library().get(weights[0]).items()}
            cast(torch.nn.Module, policy).load_state_dict(sent, strict=False)  # those that are not trained stay
            self.version = version
        with torch.no_grad():
            return policy.sample(problems, group, seed)


class Samplers:
    """The actors, as `runtime.spread` wants them: one that was lost is replaced."""

    def __init__(self, count: int, seconds: float, resources: Mapping[str, Any]):
        self.count, self.seconds, self.resources = count, seconds, dict(resources)
        self.lock = threading.Lock()
        self.actors = [self._new() for _ in range(count)]
        self.given: dict[Any, Any] = {}

    def _new(self) -> Any:
        threads = torch.get_num_threads()
        environment = {"env_vars": {"OMP_NUM_THREADS": str(threads)}}  # Ray would choose by num_cpus, and sums with it
        options = {"max_restarts": 0, "max_task_retries": 0, "runtime_env": environment, **self.resources}
        return library().remote(**options)(Sampling).remote(threads)

    def submit(self, worker: int, piece: Any) -> Any:
        with self.lock:
            actor = self.actors[worker]
            handle = actor.draw.remote(*piece)
            self.given[handle] = actor
        return handle

    def finished(self, pieces: Sequence[Any]) -> Sequence[Any]:
        return library().wait(pieces, num_returns=1, timeout=self.seconds)[0]

    def result(self, piece: Any) -> Any:
        found = got(piece, self.seconds)
        with self.lock:
            del self.given[piece]
        return found

    def replace(self, worker: int, piece: Any) -> None:
        with self.lock:
            if self.actors[worker] is self.given.pop(piece):  # not by another batch that lost the same one
                self.actors[worker] = self._new()

    def close(self) -> None:
        """End them."""
        for actor in self.actors:
            library().kill(actor)


class Ray:
    """One learner, in this process, and `samplers` processes that draw; see above.

    address    of a Ray cluster that runs; None starts one on this machine, for as long as this process
    samplers   processes that draw
    resources  of each, as Ray takes them: `{"num_cpus": 1, "num_gpus": 1}`
    minutes    the longest wait for a piece, after which it is an error

    Held-out problems are evaluated in this process, and so are demonstrations.
    """

    rank, world, lockstep = 0, 1, False

    def __init__(
        self,
        address: str | None = None,
        samplers: int = 2,
        resources: Mapping[str, Any] = {"num_cpus": 1},
        minutes: float = 30.0,
    ):
        if samplers < 1:
            raise UserError(f"--samplers is the number of processes that draw, at least 1; got {samplers}")
        self.local, self.seconds = Local(), 60 * minutes
        self.started = begin(address, samplers)
        self.samplers = Samplers(samplers, self.seconds, resources)
        self.made: tuple[Any, Any] | None = None
        self.sent: tuple[Any, Any] | None = None
        self.rewards: dict[int, tuple[Reward, Any]] = {}
        self.task = library().remote(num_cpus=1, max_retries=3)(_scored)
        self.sum_, self.gather, self.norm = self.local.sum_, self.local.gather, self.local.norm
        self.gathered, self.whole, self.spread = self.local.gathered, self.local.whole, self.local.spread

    def shard(self, blocks: Sequence[torch.nn.Module]) -> None:
        """There is one learner."""
        raise UserError("--ray has one learner, which cannot share a model out: leave --shard out, or use torchrun")

    def sample(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """All rollouts, placed in order."""
        return self.begun(policy, problems, group, seed)()

    def begun(self, policy: Sampler, problems: Sequence[Problem], group: int, seed: int) -> Callable[[], Rollouts]:
        """Fix the weights that draw; what is returned draws, in any thread, while the policy may go on to learn."""
        if not isinstance(policy, Policy):  # a teacher's demonstrations
            rollouts = self.local.sample(policy, problems, group, seed)
            return lambda: rollouts
        made = self._policy(policy)
        version, weights = self._weights(policy)
        cuts = _cuts(len(problems), _PIECES * self.samplers.count)
        pieces = [([made], [weights], version, problems[a:b], group, seed) for a, b in cuts]

        def drawn() -> Rollouts:
            rows = Rollouts.concat(spread(pieces, self.samplers))
            return rows.fill(position=torch.arange(len(rows), device=rows.mask.device))

        return drawn

    def rewarded(self, reward: Reward) -> Reward:
        """The reward as a task of the cluster; one that remembers stays here."""
        memory: Any = reward
        if isinstance(memory, Stateful):
            return reward
        if id(reward) not in self.rewards:
            self.rewards[id(reward)] = reward, _put(reward, "the reward")
        held = self.rewards[id(reward)][1]

        def asked(problems: Sequence[Problem], outputs: Any) -> Any:
            try:
                return got(self.task.remote(held, list(problems), outputs), self.seconds)
            except Lost as error:
                raise UserError(f"the process of the reward died, four times in a row: {error}") from error

        return asked

    def close(self) -> None:
        """End the samplers, and the cluster if it was started here."""
        self.samplers.close()
        if self.started:
            library().shutdown()

    def _policy(self, policy: Policy) -> Any:
        """A reference to the policy as it was when it was first seen."""
        if self.made is None or self.made[0] is not policy:
            self.made, self.sent = (policy, _put(policy, f"the policy {type(policy).__name__}")), None
        return self.made[1]

    def _weights(self, policy: Policy) -> tuple[Any, Any]:
        """What is trained, as it is: its version, and a reference that is made once for as long as nothing moves."""
        fixed = untrained(policy)
        state = {name: value for name, value in policy.state_dict().items() if name not in fixed}
        now = tuple((v.data_ptr(), v._version) if isinstance(v, Tensor) else repr(v) for v in state.values())
        if self.sent is None or self.sent[0] != now:
            self.sent = now, library().put({name: packed(value) for name, value in state.items()})
        return self.sent[1].hex(), self.sent[1]


def packed(value: Any) -> Any:
    """A tensor as a NumPy array and the name of its type, which may be one that NumPy has not; other values as they
    are."""
    if not isinstance(value, Tensor):
        return value
    held = value.detach().cpu().contiguous()
    plain = held.view(torch.int16) if held.dtype == torch.bfloat16 else held
    return str(held.dtype).removeprefix("torch."), plain.numpy()


def unpacked(value: Any) -> Any:
    """The value of `packed`; an array that lies in shared memory is copied, for it must not be written to."""
    if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)):
        return value
    return torch.from_numpy(value[1].copy()).view(getattr(torch, value[0]))


def _cuts(count: int, pieces: int) -> list[tuple[int, int]]:
    """0..count in at most so many runs of like length."""
    pieces = min(pieces, count)
    ends = [round(count * number / pieces) for number in range(pieces + 1)]
    return [*itertools.pairwise(ends)]


def _scored(reward: Reward, problems: Sequence[Problem], outputs: Any) -> Any:
    """What runs in the task of a reward."""
    with torch.no_grad():
        return reward(problems, outputs)


def got(reference: Any, seconds: float = math.inf) -> Any:
    """What a call has returned, waited for so long; what it raised is raised as it was there, and `Lost` where its
    process is gone."""
    errors = library().exceptions
    try:
        return library().get(reference, timeout=None if seconds == math.inf else seconds)
    except errors.RayTaskError as error:
        raise cast(BaseException, error.cause) from None
    except errors.GetTimeoutError as error:
        raise UserError(f"no answer for {seconds / 60:g} minutes: are there resources for every sampler?") from error
    except errors.RayError as error:
        raise Lost(" ".join(str(error).split())[:200] or type(error).__name__) from error


def _put(value: Any, what: str) -> Any:
    """A reference to a value; modules that no other process can import go with it."""
    for module in _own():
        library().cloudpickle.register_pickle_by_value(module)
    try:
        return library().put(value)
    except Exception as error:
        raise UserError(
            f"{what} cannot be sent to other processes ({type(error).__name__}: {str(error)[:200]}); leave out --ray"
        ) from error


def _own() -> list[ModuleType]:
    """Modules of files that were imported from no folder of the path, such as a reward's."""
    named = [(name, module) for name, module in sys.modules.items() if "." not in name and name != "__main__"]
    files = [(name, module) for name, module in named if str(getattr(module, "__file__", None)).endswith(".py")]
    return [module for name, module in files if PathFinder.find_spec(name) is None]


def begin(address: str | None, samplers: int) -> bool:
    """Join a cluster, or start one; whether one was started."""
    if address is None:
        # Before the library is imported: no token in the home folder for what only listens here, and no statistics.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        # Samplers are the run itself; with Ray's own niceness of 15 they starve beside anything else on the machine.
        os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = library()
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is not None:
            ray.init(address=address, **quiet)
            return False
        # Room for each sampler and a reward, whatever the machine has: an actor without room would wait without a word.
        room = max(os.cpu_count() or 1, samplers + 1)
        ray.init(num_cpus=room, include_dashboard=False, **quiet)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"no Ray cluster at {address or 'this machine'}: {' '.join(str(error).split())[:200]}"
        ) from error
    return True


def library() -> Any:
    """Ray."""
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs Ray: pip install 'rlft[ray]'") from error
    return ray
