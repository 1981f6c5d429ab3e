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

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, as_plain, below, between, checks
from rlft.measure.critics import promised
from rlft.methods.cal_ql import cal_ql
from rlft.methods.sac import sac
from rlft.noise import hashed
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.worlds.careless import CLUMSY, WORLD, given, pretrained

# Raised when an offline phase would come out otherwise.
VERSION = 1
# What the offline phase takes over from the method of the online phase, besides its critics; and its learning rate.
_TAKEN, _RATE = ("gamma", "tau", "alpha", "alpha_lr"), 1e-3
ONLINE = sac(gamma=0.96, tau=0.02, alpha=0.1, alpha_lr=1e-3, critics=4, norm=layer_norm, subset=2, backed_up=0.0)


def phases(
    method: OffPolicy,
    pretraining: int = 3000,
    weight: float = 0.02,
    offline: float = 0.0,
    warmup: int = 200,
    anything: int = 0,
    updates: float = 6.0,
    steps: int = 24,
    interval: int = 25,
) -> tuple[Phase, Phase]:
    """Offline, and then online.

    Args:
        pretraining: updates of Cal-QL on the episodes; 0 starts from scratch.
        weight: of the conservative term in them.
        offline: share of the episodes in the batches of the online phase.
        warmup: environment steps of the policy as it is, before the first online update.
        anything: environment steps at the beginning whose actions are uniform.
        updates: online updates for each environment step, on average: those of the warm-up are made up for.
        steps: steps of the online phase.
        interval: environment steps in each of them.
    """
    taken = steps * interval
    utd = (updates * taken + 1e-6) / max(taken - warmup + 1, 1)  # a hair more, so that rounding takes no update away
    first = {"warmup": warmup, "anything": anything, "restart": ("critic", "policy", "dual/alpha")}
    before = Phase(offline_method(method, weight), steps=max(-(-pretraining // interval), 1), worlds=0, offline=1.0)
    return before, Phase(method, utd=utd, offline=offline, **first)


@optioned(ONLINE, given, phases, lr=3e-4, batch=64, problems=64)
def wsrl(chosen: Mapping[str, Any]) -> Run:
    """The offline phase of the point mass is the same for all arms of a seed, so it is made once and cached."""
    ground, (before, after), pretraining = asked(given, chosen), asked(phases, chosen), chosen["pretraining"]
    started = chosen["env"] is None and pretraining > 0
    both = [before, after] if pretraining and not started else [after]
    made = learner(ground, both, chosen, interval=chosen["interval"], capacity=chosen["steps"] * chosen["interval"])
    if started:  # the duals that only the online phase has start anew
        shape = {"hidden": (chosen["width"],) * 2, "batch": chosen["batch"], "seed": chosen["seed"]}
        made_of = (as_plain(before.method), pretraining, chosen["episodes"], as_plain(shape))
        name = f"wsrl-{hashed(VERSION, WORLD, CLUMSY, _RATE, *made_of):x}.safetensors"
        begun = pretrained(name, replace(before, steps=None), pretraining, ground.data, lr=_RATE, **shape)
        made.agent.load_state_dict(begun, strict=False)
    values = promised(made.agent.q, ground.environment.action, after.method.settings["gamma"])
    seen = {"deploy": made.policy.deterministic(), "measures": [values, *ground.measures]}
    steps = chosen["steps"] + (before.steps if before in both else 0)
    return Run(made, steps, Starts(ground.environment, split="test"), problems=chosen["problems"], every=1, **seen)


def offline_method(method: OffPolicy, weight: float) -> OffPolicy:
    """Cal-QL with the critics, the discount and the temperature of the method that goes on."""
    taken = {name: method.settings[name] for name in _TAKEN if name in method.settings}
    return cal_ql(**taken, critics=method.critics, norm=method.norm, weight=weight, n=2)


CONSERVATIVE = offline_method(ONLINE, 0.02)


def online(metrics: Lines, evaluations: Lines) -> Numbers:
    """`dip`, `lowest` and `online`, over the evaluations since the first environment step."""
    acted = [line["step"] for line in metrics if line.get("decisions/drawn")]
    rewards = [line["reward"] for line in evaluations if acted and line["step"] >= acted[0] - 1]
    if len(rewards) < 2:
        return {}
    return {"dip": rewards[0] - min(rewards), "lowest": min(rewards), "online": sum(rewards[1:]) / len(rewards[1:])}


_TINY = {"pretraining": 4, "steps": 2, "interval": 10, "updates": 1.0, "warmup": 5, "anything": 0}
_FROM_DATA = {"method": CONSERVATIVE, "warmup": 1}

CLAIM = Claim(
    sentence="A policy trained offline goes on online without the offline data, and without first unlearning what it "
    "knew, if its buffer is filled by itself for a while before an ordinary off-policy method begins.",
    source="Zhou, Peng, Li, Levine, Kumar, ICLR 2025, arXiv:2412.07762",
    budget="600 environment steps and 3,600 updates online, after 3,000 updates on 120 episodes.",
    scaled_down="A point mass with 600 steps online instead of AntMaze, Kitchen and Adroit with hundreds of thousands; "
    "a warm-up of 200 steps, some eight episodes; 4 critics of two layers of 64 instead of 10 of 256, an actor's step "
    "after each of theirs; 6 updates a step, on average, instead of 4.",
    real="rlft run wsrl --env Hopper-v5 --data mujoco/hopper/medium-v0 --pretraining 250000 --weight 5 --warmup 5000 "
    "--updates 4 --steps 300 --interval 1000 --width 256 --batch 256 --problems 10 --method.gamma 0.99 "
    "--method.tau 0.005 --method.critics 10 --method.actor-every 4",
    metric="online",
    table=("dip", "lowest", "reward", "before/reward", "q", "overestimate", "steps"),
    shared=("decisions/drawn", "updates"),
    grid={"lr": (3e-4, 1e-3)},
    seeds=8,
    more=online,
    curve="reward",
    smoke={**_TINY, "episodes": 3, "width": 8, "batch": 8, "problems": 2},
    arms={
        "wsrl": Arm("200 steps as it is, then SAC", {"warmup": 200}),
        "drop": Arm("SAC at once", {"warmup": 1}),
        "drop-cal-ql": Arm("Cal-QL at once, without data", _FROM_DATA),
        "retain": Arm("Cal-QL, half of each batch data", {**_FROM_DATA, "offline": 0.5}),
        "rlpd": Arm("SAC from scratch, half data", {"pretraining": 0, "offline": 0.5, "warmup": 100, "anything": 100}),
    },
    statements=[
        above("without the warm-up more is unlearned", "drop", "wsrl", least=0.1, of="dip"),
        above("ends no worse than with the data", "wsrl", "retain", least=-0.05, of="reward"),
        above("is no worse on the way than with the data", "wsrl", "retain"),
        above("Cal-QL needs the data", "wsrl", "drop-cal-ql", least=0.2, of="reward"),
        above("learns faster than from scratch with the data", "wsrl", "rlpd", least=0.2),
        *checks(
            below("without data Cal-QL's values spiral down", "drop-cal-ql", "wsrl", most=-0.2, of="q"),
            between("and with data they do not", "retain", "wsrl", least=-0.1, most=0.1, of="q"),
            below("with the data less is unlearned than at once", "retain", "drop", most=-0.1, of="dip"),
            above("SAC at once comes back in the end", "drop", "wsrl", least=-0.1, of="reward"),
            below("its way to the goal is no longer", "wsrl", "retain", most=2.0, of="steps"),
        ),
    ],
)
