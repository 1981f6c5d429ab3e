"""Online reinforcement learning after offline, without the offline data. Zhou et al. 2024, arXiv:2412.07762.

A point mass is paid 1 for reaching a goal behind a gap in a wall, and nothing on the way. It learns from careless
episodes (Cal-QL), and then goes on in its world with several updates after every step. Each seed has its own data and
its own offline phase, and its arms begin with that phase's agent to the bit. `dip`: how far the held-out return of the
policy without noise falls below where it began, at any time online; `online`: its mean over that time.

The warm-up's updates are made up for after it, so all arms take as many environment steps and as many updates. Cal-QL
without its data tells the loss from the data; learning from scratch, but with the data (RLPD's half of each batch),
tells what the offline phase is worth. `q` and `overestimate` show the values behind a fall.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.environments import minari
from rlft.environments.experts import demonstrations
from rlft.environments.gym import Gymnasium
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Environment, Episode, Measured
from rlft.evidence.claim import Arm, Claim, Lines, Numbers, Statement, as_plain
from rlft.measure.control import control
from rlft.measure.critics import promised
from rlft.methods.cal_ql import cal_ql
from rlft.methods.sac import sac
from rlft.noise import hashed
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import OffPolicy
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.types import Runtime, UserError

# Raised when an offline phase would come out otherwise.
VERSION = 1
WORLD = PointMass(shaping=0.0, gaps=((-0.1, 0.1),), horizon=60)
# How careless the teachers are: one nearly always arrives, one seldom.
_CLUMSY = (0.8, 1.5, 2.5)
# What the offline phase takes over from the method of the online phase, besides its critics; and its learning rate.
_TAKEN, _RATE = ("gamma", "tau", "alpha", "alpha_lr"), 1e-3
_SHARED: dict[str, Any] = {
    "gamma": 0.96,
    "tau": 0.02,
    "alpha": 0.1,
    "alpha_lr": 1e-3,
    "critics": 4,
    "norm": layer_norm,
}
ONLINE = sac(**_SHARED, subset=2, backed_up=0.0)
CONSERVATIVE = cal_ql(**_SHARED, weight=0.02, n=2)


def wsrl(
    method: OffPolicy = ONLINE,
    pretraining: int = 3000,
    weight: float = 0.02,
    offline: float = 0.0,
    warmup: int = 200,
    anything: int = 0,
    updates: float = 6.0,
    steps: int = 24,
    interval: int = 25,
    lr: float = 3e-4,
    episodes: int = 120,
    env: str | None = None,
    data: str | None = None,
    width: int = 64,
    batch: int = 64,
    problems: int = 64,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """From given episodes to the world.

    Args:
        pretraining: updates of Cal-QL on the episodes; 0 starts from scratch.
        weight: of the conservative term in them.
        offline: share of the episodes in the batches of the online phase.
        warmup: environment steps of the policy as it is, before the first online update.
        anything: environment steps at the beginning whose actions are uniform.
        updates: online updates for each environment step, on average: those of the warm-up are made up for.
        steps: steps of the online phase.
        interval: environment steps in each of them.
        lr: learning rate of the online phase; with --env of both.
        episodes: of the careless teachers.
        env: a Gymnasium environment instead of the point mass; it needs --data, and its offline phase is a part of the
            run, of steps of as many updates.
        data: a folder of a Minari data set, or the name of one that is here.
        width: of all hidden layers.
        batch: transitions in an update.
        problems: held-out starts.
        seed: of everything random, the careless teachers too.
    """
    if (env is None) != (data is None):
        raise UserError("a Gymnasium environment needs episodes and these their environment: give --env and --data")
    world: Any = WORLD if env is None else Gymnasium(env)
    given = careless(episodes, seed) if data is None else minari.read(data, world)
    taken = steps * interval
    shape: dict[str, Any] = {"hidden": (width, width), "batch": batch, "seed": seed}
    started, length = env is None and pretraining > 0, -(-pretraining // interval)
    before = Phase(offline_method(method, weight), steps=max(length, 1), worlds=0, offline=1.0)
    after = Phase(
        method,
        utd=(updates * taken + 1e-6) / max(taken - warmup + 1, 1),  # a hair more, so that rounding takes no update away
        offline=offline,
        warmup=warmup,
        anything=anything,
        restart=("critic", "policy", "dual/alpha"),
    )
    phases = [before, after] if pretraining and not started else [after]
    learner = Learner(
        actor(world, width, seed),
        world,
        phases,
        data=given,
        reward=environment_reward,
        capacity=max(taken, 1),
        interval=interval,
        lr=lr,
        runtime=runtime,
        **shape,
    )
    if started:  # the duals that only the online phase has start anew
        learner.agent.load_state_dict(pretrained(before.method, pretraining, given, episodes, shape), strict=False)
    measures = [promised(learner.agent.q, world.action, method.settings["gamma"])]
    deploy, held_out = learner.policy.deterministic(), Starts(world, split="test")
    measures += [control(world)] if isinstance(world, Measured) else []
    total = steps + (length if before in phases else 0)
    return Run(learner, total, held_out, problems=problems, deploy=deploy, measures=measures, every=1)


def actor(world: Environment, width: int, seed: int) -> Control:
    """A policy as SAC has it."""
    head = functools.partial(StateTanhGaussian, std=1.0)
    return Control(world, head=head, width=width, activation=torch.relu, seed=seed)


def careless(episodes: int, seed: int) -> list[Episode]:
    """As many episodes of each of the teachers."""
    each, kinds = -(-episodes // len(_CLUMSY)), len(_CLUMSY)
    return [e for i, shaken in enumerate(_CLUMSY) for e in demonstrations(WORLD, each, seed * kinds + i, shaken)]


def offline_method(method: OffPolicy, weight: float) -> OffPolicy:
    """Cal-QL with the critics, the discount and the temperature of the method that goes on."""
    taken = {name: method.settings[name] for name in _TAKEN if name in method.settings}
    return cal_ql(**taken, critics=method.critics, norm=method.norm, weight=weight, n=2)


def pretrained(
    method: OffPolicy, updates: int, given: Sequence[Episode], episodes: int, shape: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The agent after so many updates on the careless episodes alone."""

    def build() -> dict[str, Tensor]:
        policy, phase = actor(WORLD, shape["hidden"][0], shape["seed"]), Phase(method, worlds=0, offline=1.0)
        learner = Learner(policy, WORLD, [phase], data=given, lr=_RATE, interval=updates, capacity=1, **shape)
        learner.step()
        return learner.agent.state_dict()

    name = hashed(VERSION, WORLD, _CLUMSY, _RATE, as_plain(method), updates, episodes, as_plain(shape))
    return cached(f"wsrl-{name:x}.safetensors", build, save_file, load_file)


def online(metrics: Lines, evaluations: Lines) -> Numbers:
    """`dip`, `lowest` and `online`, over the evaluations since the first environment step."""
    acted = [line["step"] for line in metrics if line.get("decisions/drawn")]
    rewards = [line["reward"] for line in evaluations if acted and line["step"] >= acted[0] - 1]
    if len(rewards) < 2:
        return {}
    return {"dip": rewards[0] - min(rewards), "lowest": min(rewards), "online": sum(rewards[1:]) / len(rewards[1:])}


_FROM_DATA = {"method": CONSERVATIVE, "warmup": 1}

CLAIM = Claim(
    sentence="A policy trained offline goes on online without the offline data, and without first unlearning what it "
    "knew, if its buffer is filled by itself for a while before an ordinary off-policy method begins.",
    source="Zhou, Peng, Li, Levine, Kumar, ICLR 2025, arXiv:2412.07762",
    arms={
        "wsrl": Arm("200 steps as it is, then SAC", {"warmup": 200}),
        "drop": Arm("SAC at once", {"warmup": 1}),
        "drop-cal-ql": Arm("Cal-QL at once, without data", _FROM_DATA),
        "retain": Arm("Cal-QL, half of each batch data", {**_FROM_DATA, "offline": 0.5}),
        "rlpd": Arm("SAC from scratch, half data", {"pretraining": 0, "offline": 0.5, "warmup": 100, "anything": 100}),
    },
    metric="online",
    grid={"lr": (3e-4, 1e-3)},
    statements=(
        Statement("without the warm-up more is unlearned", "dip", "drop", "wsrl", least=0.1),
        Statement("ends no worse than with the data", "reward", "wsrl", "retain", least=-0.05),
        Statement("is no worse on the way than with the data", "online", "wsrl", "retain", least=0.0),
        Statement("Cal-QL needs the data", "reward", "wsrl", "drop-cal-ql", least=0.2),
        Statement("learns faster than from scratch with the data", "online", "wsrl", "rlpd", least=0.2),
        Statement("without data Cal-QL's values spiral down", "q", "drop-cal-ql", "wsrl", most=-0.2, claimed=False),
        Statement("and with data they do not", "q", "retain", "wsrl", least=-0.1, most=0.1, claimed=False),
        Statement("with the data less is unlearned than at once", "dip", "retain", "drop", most=-0.1, claimed=False),
        Statement("SAC at once comes back in the end", "reward", "drop", "wsrl", least=-0.1, claimed=False),
        Statement("its way to the goal is no longer", "steps", "wsrl", "retain", most=2.0, claimed=False),
    ),
    budget="600 environment steps and 3,600 updates online, after 3,000 updates on 120 episodes.",
    shared=("decisions/drawn", "updates"),
    seeds=8,
    scaled_down="A point mass with 600 steps online instead of AntMaze, Kitchen and Adroit with hundreds of thousands; "
    "a warm-up of 200 steps, some eight episodes; 4 critics of two layers of 64 instead of 10 of 256, an actor's step "
    "after each of theirs; 6 updates a step, on average, instead of 4.",
    real="rlft run wsrl --env Hopper-v5 --data mujoco/hopper/medium-v0 --pretraining 250000 --weight 5 --warmup 5000 "
    "--updates 4 --steps 300 --interval 1000 --width 256 --batch 256 --problems 10 --method.gamma 0.99 "
    "--method.tau 0.005 --method.critics 10 --method.actor-every 4",
    table=("dip", "lowest", "reward", "before/reward", "q", "overestimate", "steps"),
    curve="reward",
    more=online,
    smoke={
        "pretraining": 4,
        "steps": 2,
        "interval": 10,
        "updates": 1.0,
        "warmup": 5,
        "anything": 0,
        "episodes": 3,
        "width": 8,
        "batch": 8,
        "problems": 2,
    },
)
