"""Pre-train in many worlds, fine-tune in one, and explore in a model of it. 2026, arXiv:2601.21363 (LIFT).

A motor lifts a pendulum in one go. In the world where it is used it is heavier and longer, and rubs, so that the same
motor has to swing it up. SAC has learned in 64 nominal worlds; each seed's pre-training is made once and cached, and
all its arms begin with that agent to the bit. Then there are four episodes in the changed world, and as many updates
for every arm: from the steps that were really taken, or 94 % inside a model, whose mechanics are the nominal ones and
to which a network adds the forces that are missing (`lift`), or of which nothing is known (`box`).

`late` is the number of real steps after which the held-out return first reaches `GOAL`, as the logarithm to base 2, so
that half the steps are -1; one that never does counts as if it did one evaluation after the last. `online` is the mean
return over the fine-tuning, `unsafe` the share of real steps at whose end it turns fast, `home` the return in the
nominal world. The cells of the sweep have 600 pieces of work one after the other, steps of all worlds and updates,
which is what time goes by where a batch is computed side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from rlft.environments.gym import Gymnasium
from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, as_plain, below, between, checks
from rlft.methods.lift import lift
from rlft.noise import hashed
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.worlds.swinging import CHANGED, NOMINAL, played, pretrained, swinging

# Raised when a pre-training would come out otherwise.
VERSION = 1
GOAL = 62.0  # 95 % of what SAC comes to in the end, in pilots
_COMMON: dict[str, Any] = {"gamma": 0.97, "tau": 0.02, "alpha": 0.03, "alpha_lr": 1e-3}
_MODEL: dict[str, Any] = {"refit": 25, "fits": 100, "starts": 64, "every": 20, "horizon": 50, "grows": 0}
LIFT = lift(**_COMMON, **_MODEL)
SAC = lift(**_COMMON, real=1.0, acted="drawn")
# The pre-training's method: a time limit's cut is masked there too.
BEFORE = SAC


def phases(
    method: OffPolicy,
    rounds: int = 600,
    worlds: int = 64,
    size: int = 256,
    utd: float = 2.0,
    trained: Literal["nominal", "changed"] = "nominal",
    warmup: int = 50,
    updates: float = 8.0,
    steps: int = 16,
    interval: int = 25,
) -> tuple[Phase, Phase]:
    """Pre-training, and then fine-tuning.

    Args:
        rounds: steps of all worlds in the pre-training; 0 starts from scratch.
        worlds: stepped side by side in it.
        size: windows of an update in it.
        utd: updates for each step of all worlds in it.
        trained: where: in nominal worlds, or in changed ones.
        warmup: environment steps of the policy as it is, before the first update of the fine-tuning.
        updates: for each environment step after that.
        steps: steps of the fine-tuning; 0 evaluates what was pre-trained.
        interval: environment steps in each of them.
    """
    begin = min(20, max(rounds // 4, 1)) * worlds
    before = Phase(BEFORE, worlds=worlds, utd=utd / worlds, warmup=begin, anything=begin)
    return before, Phase(method, utd=updates, warmup=warmup)


@optioned(LIFT, swinging, phases, lr=1e-3, batch=256, problems=32)
def lift_humanoid(chosen: Mapping[str, Any]) -> Run:
    """The pre-training of a seed is made once and cached; in worlds of Gymnasium it is made anew."""
    ground, (before, after) = asked(swinging, chosen), asked(phases, chosen)
    made = learner(ground, [after], chosen, interval=chosen["interval"], capacity=chosen["steps"] * chosen["interval"])
    if chosen["rounds"]:
        made.agent.load_state_dict(_begun(before, chosen), strict=False)
    known = [] if chosen["env"] else [played(ground.environment, made)]
    starts = Starts(ground.environment, split="test")
    seen = {"deploy": made.policy.deterministic(), "measures": ground.measures, "probes": [*ground.probes, *known]}
    return Run(made, chosen["steps"], starts, problems=chosen["problems"], every=1, **seen)


def _begun(before: Phase, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    """The agent that a seed's arms begin with."""
    shape = {"hidden": (chosen["width"],) * 2, "batch": chosen["size"], "seed": chosen["seed"], "lr": 1e-3}
    if chosen["env"]:
        return pretrained(None, Gymnasium(chosen["sim"] or chosen["env"]), before, chosen["rounds"], **shape)
    world = (NOMINAL if chosen["trained"] == "nominal" else CHANGED)[chosen["system"]]
    made_of = (repr(world), as_plain(before.method), before.worlds, before.utd, chosen["rounds"], as_plain(shape))
    name = f"lift-{hashed(VERSION, *made_of):x}.safetensors"
    return pretrained(name, world, before, chosen["rounds"], **shape)


def reached(metrics: Lines, evaluations: Lines) -> Numbers:
    """`late`, and `online`, the mean held-out return over the fine-tuning."""
    steps, total = {0: 0.0}, 0.0
    for line in metrics:
        total += line.get("decisions/drawn", 0.0)
        steps[line["step"]] = total
    rewards = [(line["step"], line["reward"]) for line in evaluations]
    if not total or len(rewards) < 2:
        return {}
    first = next((steps[step] for step, reward in rewards if step and reward >= GOAL), total * (1 + 1 / len(metrics)))
    later = [reward for step, reward in rewards if step]
    return {"late": math.log2(first), "online": sum(later) / len(later)}


_TINY = {"rounds": 2, "worlds": 2, "size": 8, "width": 8, "batch": 8, "problems": 2, "steps": 2, "interval": 4}
_ONLY = {"steps": 0, "tried": "nominal"}


def _cell(size: int, utd: float, rounds: int) -> Arm:
    """Of the sweep: nothing but a pre-training."""
    words = f"pre-training with batches of {size}, {utd:g} updates a step of 64 worlds, {rounds} steps"
    return Arm(words, {**_ONLY, "size": size, "utd": utd, "rounds": rounds}, grid={}, seeds=5)


CLAIM = Claim(
    sentence="Large batches and many updates a step make SAC fast to pre-train in many simulated worlds; in a new "
    "world it is fine-tuned safely and with little data if these are collected without noise and exploration happens "
    "in a physics-informed world model.",
    source="Towards Bridging the Gap between Large-Scale Pretraining and Efficient Finetuning for Humanoid Control, "
    "2026, arXiv:2601.21363",
    budget="400 environment steps, four episodes, and 2,808 updates of 256 windows in the changed world, after 600 "
    "steps of 64 nominal worlds with 1,160 updates.",
    scaled_down="A pendulum with exact observations instead of a humanoid, so one joint for some twenty; its changed "
    "world for the real one; networks of two layers of 64; 20 s of real data for 80 to 590; updates are due at each "
    "real step and not in bursts; imagined rollouts have 50 steps from the first; optimisers start anew.",
    real="rlft run lift_humanoid --env Humanoid-v5 --rounds 20000 --worlds 64 --size 4096 --utd 9 --steps 100 "
    "--interval 1000 --warmup 1000 --updates 20 --width 512 --lr 2e-4 --method.gamma 0.982 --method.tau 0.001 "
    "--method.refit 1000 --method.fits 500 --method.starts 400 --method.horizon 20 --method.grows 10",
    metric="online",
    table=("late", "reward", "unsafe", "fast", "home", "model_error/1", "model_error/4"),
    shared=("decisions/drawn", "updates"),
    grid={"lr": (3e-4, 1e-3)},
    seeds=8,
    more=reached,
    curve="reward",
    smoke={**_TINY, "warmup": 2, "updates": 1.0},
    arms={
        "base": Arm("the pre-trained policy", {"steps": 0}, grid={}),
        "oracle": Arm(
            "SAC, trained for long in changed worlds", {"steps": 0, "trained": "changed", "rounds": 1600}, {}
        ),
        "lift": Arm("deterministic in the world, exploring in a model of physics", {"method": LIFT}),
        "box": Arm("the same in a black-box model", {"method": lift(**_COMMON, **_MODEL, model="black_box")}),
        "sac": Arm("SAC", {"method": SAC}),
        "det": Arm("SAC, deterministic in the world", {"method": lift(**_COMMON, real=1.0)}),
        "small-few": _cell(64, 0.25, 480),
        "small-many": _cell(64, 4.0, 120),
        "large-few": _cell(1024, 0.25, 480),
        "large-many": _cell(1024, 4.0, 120),
        # as much processor time on one core as large-many takes, where a large batch has no accelerator
        "small-many-time": _cell(64, 4.0, 264),
        "large-few-time": _cell(1024, 0.25, 1080),
    },
    statements=[
        above("LIFT earns more on the way", "lift", "sac", least=3.0),
        below("it needs at most half of SAC's real steps", "lift", "sac", most=-1.0, of="late"),
        below("and is no less safe on the way", "lift", "sac", most=0.01, of="unsafe"),
        above("more than in a black box", "lift", "box", least=1.0),
        above("many updates pre-train faster than few", "large-many", "large-few", least=3.0, of="reward"),
        above("and large batches faster than small ones", "large-many", "small-many", least=3.0, of="reward"),
        *checks(
            between("the base fails in the changed world, not wholly", "base", least=20, most=52, of="reward"),
            above("and is good in the nominal one", "base", least=80, of="home"),
            above("the goal is within reach: SAC gets there in the end", "oracle", least=GOAL, of="reward"),
            above("more than without any exploration", "lift", "det", least=1.0),
            above("large batches are faster in time of one core, too", "large-many", "small-many-time", 3.0, "reward"),
            above("and many updates", "large-many", "large-few-time", least=3.0, of="reward"),
        ),
    ],
)
