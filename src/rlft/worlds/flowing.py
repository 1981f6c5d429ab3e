"""A point mass shown its way a few times, before the gap has moved or by two ways at once; it is paid for arriving.

The policy has imitated the episodes in chunks of four actions: as a flow, to be fine-tuned through noisy denoising
steps, or as a Gaussian. At test nothing is drawn but where the flow starts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rlft.cache import cached
from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Environment, Episode
from rlft.measure.control import control
from rlft.noise import hashed
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Control, TanhGaussian
from rlft.policies.flows.policy import FlowPolicy
from rlft.policies.flows.velocity import NoiseNet
from rlft.policies.stepwise.noise_rules import NoiseRule, flow_noise, flow_sde
from rlft.rewards.environment import environment_reward
from rlft.tasks.starts import Starts
from rlft.types import Rollouts
from rlft.worlds import World

# Raised when a base would come out otherwise.
VERSION = 1
Where = Literal["moved", "two"]
Kind = Literal["sde", "hybrid", "noise", "gaussian"]
CHUNK, WIDTH, _BATCH = 4, 64, 128
_WAYS = ((-0.6, -0.2), (0.2, 0.6))
WORLDS = {"moved": PointMass(shaping=0.0), "two": PointMass(shaping=0.0, gaps=_WAYS)}
# Where the gap was when the expert was watched; or which he was sent through, in turns.
_WATCHED = {"moved": ((0.0, 0.4),), "two": _WAYS}
# How much he trembles, in half-ranges of an action, and how long he is imitated: not half of the flow's starts arrive.
_CLUMSY = {"moved": 0.4, "two": 0.3}
_IMITATION = {"moved": 1000, "two": 1500}


def flowing(
    where: Where = "moved",
    policy: Kind = "sde",
    level: float | None = None,
    denoising_steps: int = 4,
    episodes: int = 20,
    imitation: int | None = None,
    timed: int = 0,
    horizon: int = 40,
    critic: bool = False,
    seed: int = 0,
) -> World:
    """A flow policy that has seen a few demonstrations, and a reward for arriving.

    Args:
        where: a wall whose gap has moved by half its width since the episodes, or two gaps and episodes through
            either.
        policy: every denoising step by Flow-SDE, one of them (hybrid), learned noise (Flow-Noise), or a Gaussian.
        level: a of Flow-SDE's noise, or the upper bound of learned noise, whose lower one is half of it; none is the
            paper's, 0.5 or 0.16.
        denoising_steps: for a chunk of four actions, in training and at test.
        episodes: that are shown.
        imitation: supervised steps of the base; none is the place's own number.
        timed: episodes on which the passes and the time of an update are measured, beside those of a policy whose
            every step is noisy; 0 measures neither.
        horizon: steps after which an episode is cut off; demonstrations have 40.
        seed: of everything random, the demonstrations and the base too.
    """
    world, kind = replace(WORLDS[where], horizon=horizon), "gaussian" if policy == "gaussian" else "flow"
    base = taught(where, kind, episodes, _IMITATION[where] if imitation is None else imitation, seed)
    if isinstance(base, Control):
        made: Any = Control(world, critic=critic, width=WIDTH, seed=seed, chunk=CHUNK, head=_HEAD)
        made.load_state_dict(base.state_dict(), strict=not critic)
        deploy: Any = made.deterministic()
    else:
        rule = ruled("flow_noise" if policy == "noise" else "flow_sde", level, world, CHUNK, seed)
        noisy = "one" if policy == "hybrid" else "every"
        told = {"rule": rule, "noisy": noisy, "critic": critic, "width": WIDTH, "seed": seed}
        made = FlowPolicy(world, base, steps=denoising_steps, **told)
        deploy = made.deployed()
    starts = Starts(world), Starts(world, split="test")
    probes = [partial(price, episodes=timed)] if timed else []
    seen = {"measures": [control(world)], "deploy": deploy, "probes": probes}
    return World(made, *starts, environment_reward, **seen)


_HEAD = partial(TanhGaussian, std=0.3)


def ruled(
    noise: Literal["flow_sde", "flow_noise"], level: float | None, world: Environment, chunk: int, seed: int
) -> NoiseRule:
    """How noisy steps are taken, with a net of its own where the noise is learned."""
    if noise == "flow_sde":
        return flow_sde(0.5 if level is None else level)
    most = 0.16 if level is None else level
    return flow_noise(NoiseNet(world.observation_size, (chunk, world.action.size), WIDTH, seed=seed), most / 2, most)


def shown(where: Where, episodes: int, seed: int) -> list[Episode]:
    """Episodes of the expert, as many through either gap where there are two, wherever they start."""
    ways, made = _WATCHED[where], []
    for i, way in enumerate(ways):
        share = episodes // len(ways) + (i < episodes % len(ways))
        world = replace(WORLDS[where], gaps=(way,))
        made += demonstrations(world, share, len(ways) * seed + i, _CLUMSY[where])
    return made


def windows(shown: Sequence[Episode]) -> tuple[Float[Tensor, "M O"], Float[Tensor, "M h A"]]:
    """What was seen at each step that has a whole chunk of actions behind it, and these."""
    places = [(episode, i) for episode in shown for i in range(len(episode) - CHUNK + 1)]
    seen = torch.stack([episode.observations[i] for episode, i in places])
    return seen.float(), torch.stack([episode.actions[i : i + CHUNK] for episode, i in places]).float()


def taught(where: Where, kind: Literal["flow", "gaussian"], episodes: int, imitation: int, seed: int) -> Flow | Control:
    """The policy that has imitated them, built once and then read from the cache."""
    world, sizes = WORLDS[where], dict[str, Any](width=WIDTH, seed=seed, chunk=CHUNK)
    empty = Flow(world, **sizes) if kind == "flow" else Control(world, head=_HEAD, **sizes)
    settings = (VERSION, world, kind, episodes, imitation, seed, CHUNK, WIDTH, _CLUMSY[where], _WATCHED[where])

    def build() -> dict[str, Tensor]:
        imitate(empty, *windows(shown(where, episodes, seed)), imitation, seed)
        return empty.state_dict()

    empty.load_state_dict(cached(f"flowing/{where}-{hashed(*settings):x}.safetensors", build, save_file, load_file))
    return empty


def imitate(policy: Flow | Control, seen: Tensor, done: Tensor, steps: int, seed: int) -> None:
    """Adam on the policy's own imitation loss, 128 chunks at a time."""
    chance, optimizer = torch.Generator().manual_seed(seed), torch.optim.Adam(policy.parameters(), lr=1e-3)
    for _ in range(steps):
        rows = torch.randint(len(seen), (_BATCH,), generator=chance)
        optimizer.zero_grad()
        policy.imitation(seen[rows], done[rows], chance).mean().backward()
        optimizer.step()


def price(policy: FlowPolicy, episodes: int) -> dict[str, float]:
    """What an update costs, as a share of what it costs a policy whose every denoising step is noisy.

    passes/share    rows that go through the velocity's network with a gradient; exact
    speed/update    processor seconds of a gradient of all chunks' log-probabilities, the median of neighbours
    """
    rows = policy.sample([Starts(policy.environment).at(i) for i in range(episodes)], 1, seed=0)
    full = replace(rows, trace={**rows.trace, "noisy": torch.ones_like(rows.trace["noisy"])})
    ask = partial(_gradient, policy)
    pairs = [(_seconds(ask, rows), _seconds(ask, full)) for _ in range(7)]
    network = policy.get_submodule("net.net")
    share = _passes(network, partial(ask, rows)) / _passes(network, partial(ask, full))
    return {"passes/share": share, "speed/update": statistics.median(one / other for one, other in pairs[1:])}


def _gradient(policy: FlowPolicy, rows: Rollouts) -> None:
    policy.log_prob(rows).sum().backward()
    policy.zero_grad()


def _seconds(of: Callable[[Rollouts], None], rows: Rollouts) -> float:
    start = time.process_time()
    of(rows)
    return time.process_time() - start


def _passes(network: nn.Module, of: Callable[[], None]) -> int:
    counted: list[int] = []
    hook = network.register_forward_pre_hook(lambda module, given: counted.append(len(given[0])))
    of()
    hook.remove()
    return sum(counted)
