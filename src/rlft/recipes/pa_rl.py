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
from typing import Any

from rlft.environments.acted import Acted
from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.cal_ql import cal_ql
from rlft.methods.iql import iql
from rlft.methods.pa_rl import pa_rl as searched
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.worlds.trembling import trembling

_COMMON: dict[str, Any] = {"gamma": 0.97, "tau": 0.02, "critics": 2, "steps": 8}
_SEARCH: dict[str, Any] = {"n": 8, "keep": 4, "climb": 2, "rate": 0.1, "temperature": 0.03, "weight": 0.01, **_COMMON}


def phases(
    method: OffPolicy, frozen: bool = False, offline: int = 1600, online: int = 3200, utd: float = 0.25
) -> list[Phase]:
    """Data alone, and then worlds beside it.

    Args:
        frozen: online the policy stays as the data made it, and only what judges it learns.
        offline: updates on data alone.
        online: environment steps after them.
        utd: updates for each of those.
    """
    going_on = without_actor(method) if frozen else method
    return [
        Phase(imitating(method), steps=offline // max(offline // 2, 1), worlds=0, offline=1.0),
        Phase(going_on, worlds=8, utd=utd, offline=0.5),
    ]


@optioned(searched(**_SEARCH), trembling, phases, batch=64, lr=1e-3)
def pa_rl(chosen: Mapping[str, Any]) -> Run:
    """Steps are half of the offline phase long, online too."""
    ground, both, online = asked(trembling, chosen), asked(phases, chosen), chosen["online"]
    interval = max(chosen["offline"] // 2, 1)
    made = learner(ground, both, chosen, interval=interval, capacity=online)
    steps, starts = both[0].steps + -(-online // interval), Starts(ground.environment, split="test")
    deploy = Acted(chosen["method"].acting(made.agent), ground.environment)
    seen = {"deploy": deploy, "measures": ground.measures, "probes": ground.probes}
    return Run(made, steps, starts, problems=chosen["problems"], **seen)


def imitating(method: OffPolicy) -> OffPolicy:
    """PA-RL as it learns from data alone; other methods as they are."""
    return searched(**{**method.settings, "temperature": None}) if method.name == "pa_rl" else method


def without_actor(method: OffPolicy) -> OffPolicy:
    """The method, whose policy no longer learns."""
    return replace(method, descents=tuple(descent for descent in method.descents if descent.name != "policy"))


# Of what differs by a few hundredths.
MANY = 12
_CLASSES: tuple[str, ...] = ("gaussian", "flow", "tokens")
_BC: dict[str, Any] = {"method": iql(temperature=0.0, **_COMMON), "frozen": True}
_OWN: dict[str, Arm] = {
    "gaussian": Arm(
        "tanh-Gaussian, Cal-QL: the actor follows the critic's gradient",
        {"method": cal_ql(weight=0.01, n=4, alpha=0.01, norm=layer_norm, **_COMMON)},
        grid={"method.weight": (0.003, 0.01, 0.1)},
        seeds=MANY,
    ),
    "flow": Arm("flow, IQL: imitation weighted by advantages", {"policy": "flow", "method": iql(**_COMMON)}),
    "tokens": Arm("tokens, IQL: imitation weighted by advantages", {"policy": "tokens", "method": iql(**_COMMON)}),
}
_BEST = {"method": searched(**{**_SEARCH, "climb": 0}), "frozen": True}
_STEADY = {"policy": "flow", "clumsy": 0.1}
_DISTILLED = "distilled, what the policy draws alone arrives more often than imitation"

CLAIM = Claim(
    sentence="One actor-critic method fine-tunes policies of any class, offline and then online, by imitating actions "
    "that a search by value has found; it does as well as, or better than, methods made for the class.",
    source="Mark et al. 2024, Policy Agnostic RL: Offline RL and Online RL Fine-Tuning of Any Class and Backbone, "
    "arXiv:2412.06685",
    budget="100 episodes of data and 1600 updates on them, then 3200 environment steps and 800 updates.",
    scaled_down="A point mass and networks of two layers of 64 in place of AntMaze, FrankaKitchen, CALVIN and a real "
    "robot; 8 proposals, 2 critics and a scalar value instead of 32, 10 and a distribution; an autoregressive policy "
    "of 8 tokens in place of a transformer and OpenVLA; targets of 8 steps.",
    real="rlft run pa_rl --env gymnasium_robotics:FrankaKitchen-v1 --data D4RL/kitchen/partial-v2 --policy flow "
    "--chunk 4 --pretraining 500 --steps 250 --interval 1000 --width 256 --batch 256 --method.steps 4",
    metric="reward",
    table=("alone", "steps", "effort", "final_distance"),
    shared=("decisions/drawn",),
    grid={"method.temperature": (3.0, 10.0, 30.0)},
    curve="reward",
    smoke={"data": 4, "offline": 4, "online": 32, "batch": 8, "width": 8, "problems": 2},
    arms={
        **{f"pa_rl/{kind}": Arm(f"{kind}, PA-RL", {"policy": kind}, grid={}, seeds=MANY) for kind in _CLASSES},
        **{f"own/{kind}": _OWN[kind] for kind in _CLASSES},
        **{f"bc/{kind}": Arm(f"{kind}, imitation of the data", {"policy": kind, **_BC}, grid={}) for kind in _CLASSES},
        "best/flow": Arm("flow, best of n, the policy left as it was", {"policy": "flow", **_BEST}, grid={}),
        "steady/bc": Arm("flow, imitation of a steady expert", {**_STEADY, **_BC}, grid={}, seeds=MANY),
        "steady/pa_rl": Arm("flow, PA-RL after a steady expert", _STEADY, grid={}, seeds=MANY),
    },
    statements=[
        above("gaussian: PA-RL arrives more often than imitation", "pa_rl/gaussian", "bc/gaussian", least=0.2),
        above("flow: PA-RL arrives more often than imitation", "pa_rl/flow", "bc/flow", least=0.2),
        above("tokens: PA-RL arrives more often than imitation", "pa_rl/tokens", "bc/tokens", least=0.2),
        between("PA-RL: gaussian is as good as flow", "pa_rl/gaussian", "pa_rl/flow", least=-0.1, most=0.1),
        between("PA-RL: flow is as good as tokens", "pa_rl/flow", "pa_rl/tokens", least=-0.1, most=0.1),
        between("PA-RL: tokens is as good as gaussian", "pa_rl/tokens", "pa_rl/gaussian", least=-0.1, most=0.1),
        above("Gaussian: PA-RL is no worse than Cal-QL", "pa_rl/gaussian", "own/gaussian", least=-0.1),
        above("flow: PA-RL arrives more often than IQL", "pa_rl/flow", "own/flow", least=0.1),
        above("tokens: PA-RL arrives more often than IQL", "pa_rl/tokens", "own/tokens", least=0.1),
        *checks(
            *(
                above(f"{kind}: {_DISTILLED}", f"pa_rl/{kind}", f"bc/{kind}", least=0.1, of="alone")
                for kind in _CLASSES
            ),
            above("flow: best of n helps by itself", "best/flow", "bc/flow", least=0.1),
            below("flow: PA-RL is faster than best of n", "pa_rl/flow", "best/flow", most=-3.0, of="steps"),
            between(
                "after a steady expert nothing is left to gain in success",
                "steady/pa_rl",
                "steady/bc",
                least=-0.1,
                most=0.1,
            ),
        ),
    ],
)
