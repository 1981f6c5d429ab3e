"""One way to fine-tune any class of policy: search and imitate. Mark et al. 2024, "PA-RL", arXiv:2412.06685.

A point mass has to pass a gap in a wall and is paid for the goal alone; the data are episodes of an expert who
trembles so much that half of them arrive. Three classes of policy with chunks of four actions: tanh-Gaussian, flow,
and tokens (autoregressive, of bins). First they learn from the data, where PA-RL's policy only imitates while its
critics learn, as in the authors' code; then with worlds beside the data. All arms have the same environment steps and
updates.

PA-RL has one setting for all classes. Beside it, for each: imitation of the data (`bc`), and what one would use for
that class otherwise (`own`): Cal-QL, whose actor follows the critic's gradient, or IQL, which weights the imitation;
these are tuned. `best`: best of n by a critic that learns online, of a policy left as it was. Judged is what each
deploys, drawn and not its mode, on starts nobody trained on: success, and what the reward cannot see, the time and
force it took. `alone` is the success of what the policy draws without a search. Control: an expert with a steady
hand, whom imitation matches, so that nothing is left to gain in success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch

from rlft.environments.acted import Acted
from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Environment
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.control import control
from rlft.methods.cal_ql import cal_ql
from rlft.methods.iql import iql
from rlft.methods.pa_rl import pa_rl as searched
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import OffPolicy
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Binned, Control, StateTanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.types import Runtime

Kind = Literal["gaussian", "flow", "tokens"]
WORLD = PointMass(shaping=0.0)
_CHUNK, _GAMMA = 4, 0.97
_COMMON: dict[str, Any] = {"gamma": _GAMMA, "tau": 0.02, "critics": 2, "steps": 8}
_SEARCH: dict[str, Any] = {"n": 8, "keep": 4, "climb": 2, "rate": 0.1, "temperature": 0.03, "weight": 0.01, **_COMMON}


def pa_rl(
    policy: Kind = "gaussian",
    method: OffPolicy = searched(**_SEARCH),
    frozen: bool = False,
    clumsy: float = 1.2,
    data: int = 100,
    offline: int = 1600,
    online: int = 3200,
    utd: float = 0.25,
    batch: int = 64,
    width: int = 64,
    lr: float = 1e-3,
    problems: int = 128,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """A class of policy, from data to worlds.

    Args:
        policy: the class: gaussian, flow or tokens.
        frozen: online the policy stays as the data made it, and only what judges it learns.
        clumsy: how much the expert of the data trembles, in half-ranges of an action.
        data: his episodes.
        offline: updates on data alone.
        online: environment steps after them.
        utd: updates for each of those.
        batch: windows of an update, online half of them from the data.
        width: of the two layers of all networks.
        lr: learning rate.
        problems: held-out starts.
        seed: of everything random.
    """
    actor = made(policy, WORLD, width, seed)
    interval = max(offline // 2, 1)
    phases = [
        Phase(imitating(method), steps=offline // interval, worlds=0, offline=1.0),
        Phase(without_actor(method) if frozen else method, worlds=8, utd=utd, offline=0.5),
    ]
    learner = Learner(
        actor,
        WORLD,
        phases,
        data=demonstrations(WORLD, data, seed=seed, clumsy=clumsy),
        reward=environment_reward,
        capacity=max(online, 1),
        batch=batch,
        interval=interval,
        lr=lr,
        hidden=(width, width),
        seed=seed,
        runtime=runtime,
    )
    return Run(
        learner,
        offline // interval + -(-online // interval),
        held_out=Starts(WORLD, split="test"),
        problems=problems,
        deploy=Acted(method.acting(learner.agent), WORLD),
        measures=[control(WORLD)],
        probes=[alone(problems, seed)],
    )


def made(policy: Kind, world: Environment, width: int, seed: int) -> Control | Flow:
    """A policy of this class."""
    sizes: dict[str, Any] = {"width": width, "seed": seed, "chunk": _CHUNK, "activation": torch.relu}
    if policy == "flow":
        return Flow(world, steps=5, **sizes)
    heads = {"gaussian": StateTanhGaussian, "tokens": partial(Binned, bins=11, width=32, seed=seed)}
    return Control(world, head=heads[policy], **sizes)


def imitating(method: OffPolicy) -> OffPolicy:
    """PA-RL as it learns from data alone; other methods as they are."""
    return searched(**{**method.settings, "temperature": None}) if method.name == "pa_rl" else method


def without_actor(method: OffPolicy) -> OffPolicy:
    """The method, whose policy no longer learns."""
    return replace(method, descents=tuple(descent for descent in method.descents if descent.name != "policy"))


def alone(problems: int, seed: int) -> Any:
    """A probe: the success of what the policy itself draws."""

    def probe(policy: Control | Flow) -> Mapping[str, float]:
        sampler, starts = Acted(policy, WORLD), Starts(WORLD, split="test")
        return {"alone": evaluate(sampler, starts, environment_reward, problems=problems, seed=seed).mean}

    return probe


_CLASSES: tuple[Kind, ...] = ("gaussian", "flow", "tokens")
_BC: dict[str, Any] = {"method": iql(temperature=0.0, **_COMMON), "frozen": True}
_OWN: dict[str, Arm] = {
    "gaussian": Arm(
        "tanh-Gaussian, Cal-QL: the actor follows the critic's gradient",
        {"method": cal_ql(weight=0.01, n=4, alpha=0.01, norm=layer_norm, **_COMMON)},
        grid={"method.weight": (0.003, 0.01, 0.1)},
    ),
    "flow": Arm("flow, IQL: imitation weighted by advantages", {"policy": "flow", "method": iql(**_COMMON)}),
    "tokens": Arm("tokens, IQL: imitation weighted by advantages", {"policy": "tokens", "method": iql(**_COMMON)}),
}
_BEST = {"method": searched(**{**_SEARCH, "climb": 0}), "frozen": True}
_STEADY = {"policy": "flow", "clumsy": 0.1}

CLAIM = Claim(
    sentence="One actor-critic method fine-tunes policies of any class, offline and then online, by imitating actions "
    "that a search by value has found; it does as well as, or better than, methods made for the class.",
    source="Mark et al. 2024, Policy Agnostic RL: Offline RL and Online RL Fine-Tuning of Any Class and Backbone, "
    "arXiv:2412.06685",
    arms={
        **{f"pa_rl/{kind}": Arm(f"{kind}, PA-RL", {"policy": kind}, grid={}) for kind in _CLASSES},
        **{f"own/{kind}": _OWN[kind] for kind in _CLASSES},
        **{f"bc/{kind}": Arm(f"{kind}, imitation of the data", {"policy": kind, **_BC}, grid={}) for kind in _CLASSES},
        "best/flow": Arm("flow, best of n, the policy left as it was", {"policy": "flow", **_BEST}, grid={}),
        "steady/bc": Arm("flow, imitation of a steady expert", {**_STEADY, **_BC}, grid={}),
        "steady/pa_rl": Arm("flow, PA-RL after a steady expert", _STEADY, grid={}),
    },
    metric="reward",
    statements=(
        *(
            Statement(f"{kind}: PA-RL arrives more often than imitation", "reward", f"pa_rl/{kind}", f"bc/{kind}", 0.2)
            for kind in _CLASSES
        ),
        *(
            Statement(f"PA-RL: {one} is as good as {other}", "reward", f"pa_rl/{one}", f"pa_rl/{other}", -0.1, 0.1)
            for one, other in (("gaussian", "flow"), ("flow", "tokens"), ("tokens", "gaussian"))
        ),
        Statement("Gaussian: PA-RL is no worse than Cal-QL", "reward", "pa_rl/gaussian", "own/gaussian", -0.1),
        Statement("flow: PA-RL arrives more often than IQL", "reward", "pa_rl/flow", "own/flow", 0.1),
        Statement("tokens: PA-RL arrives more often than IQL", "reward", "pa_rl/tokens", "own/tokens", 0.1),
        *(
            Statement(
                f"{kind}: distilled, what the policy draws alone arrives more often than imitation",
                "alone",
                f"pa_rl/{kind}",
                f"bc/{kind}",
                0.1,
                claimed=False,
            )
            for kind in _CLASSES
        ),
        Statement("flow: best of n helps by itself", "reward", "best/flow", "bc/flow", 0.1, claimed=False),
        Statement("flow: PA-RL is faster than best of n", "steps", "pa_rl/flow", "best/flow", most=-3.0, claimed=False),
        Statement(
            "after a steady expert nothing is left to gain in success",
            "reward",
            "steady/pa_rl",
            "steady/bc",
            -0.1,
            0.1,
            claimed=False,
        ),
    ),
    budget="100 episodes of data and 1600 updates on them, then 3200 environment steps and 800 updates.",
    scaled_down="A point mass and networks of two layers of 64 in place of AntMaze, FrankaKitchen, CALVIN and a real "
    "robot; 8 proposals, 2 critics and a scalar value instead of 32, 10 and a distribution; an autoregressive policy "
    "of 8 tokens in place of a transformer and OpenVLA; targets of 8 steps.",
    real="rlft.methods.pa_rl.pa_rl() has the paper's sizes; any rlft.environments.gym.Gymnasium, MuJoCo's among them, "
    "and any policy that acts, proposes and imitates, go into a Learner as in this recipe.",
    table=("alone", "steps", "effort", "final_distance"),
    shared=("decisions/drawn",),
    grid={"method.temperature": (3.0, 10.0, 30.0)},
    smoke={"data": 4, "offline": 4, "online": 32, "batch": 8, "width": 8, "problems": 2},
    curve="reward",
)
