"""A world of Gymnasium by any published method that learns from a buffer. Not a claim of any paper.

`rlft run sac --env Pendulum-v1` is this recipe with `--method sac`, and so for every such method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.environments.acted import Acted
from rlft.environments.protocol import Discrete
from rlft.methods.sac import sac
from rlft.offpolicy.actors import imitating
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy, itself
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.types import UserError
from rlft.types.acting import Central
from rlft.worlds.gymnasium import stepped

SMOKE = {"env": "Pendulum-v1", "horizon": 8, "width": 8, "steps": 2, "interval": 16, "batch": 8, "problems": 2}
SMOKE |= {"warmup": 4, "anything": 4}


def phases(
    method: OffPolicy,
    data: str | None = None,
    pretraining: int = 0,
    imitation: int = 0,
    offline: float | None = None,
    worlds: int = 1,
    updates: float | None = None,
    anything: int = 1000,
    warmup: int = 1000,
    interval: int = 1000,
) -> list[Phase]:
    """On data alone, if there are any and that is wanted, and then in worlds.

    Args:
        imitation: steps before all others, on the data alone, in which the policy imitates them and critics learn.
        pretraining: steps before the others, of updates on the data alone.
        offline: share of the data in each batch; by default half, or none without data.
        worlds: stepped side by side; none learns from the data alone.
        updates: for each step of a world; by default 1, or what the method asks for (rlpd).
        anything: steps of worlds at the beginning whose actions are uniform.
        warmup: steps of worlds before the first update.
        interval: steps of worlds in a step, which is a line of the log; without worlds updates.
    """
    if data is None and (pretraining or imitation or offline or not worlds):
        raise UserError(
            "--pretraining, --imitation, --offline and --worlds 0 learn from episodes of others: give --data"
        )
    alone = {"worlds": 0, "offline": 1.0}
    first = [Phase(imitating(method), steps=imitation, **alone)] if imitation else []
    if not worlds:
        return [*first, Phase(method, **alone)]
    first += [Phase(method, steps=pretraining, **alone)] if pretraining else []
    share = offline if offline is not None else 0.5 if data else 0.0
    utd = float(method.settings.get("updates", 1.0)) if updates is None else updates
    return [*first, Phase(method, worlds=worlds, offline=share, utd=utd, anything=anything, warmup=warmup)]


@optioned(sac(), stepped, phases, steps=20, batch=256, lr=3e-4, problems=10, every=5)
def off_policy(chosen: Mapping[str, Any]) -> Run:
    """What is evaluated acts without noise, or as the method does if it acts otherwise than its policy."""
    ground, both, interval, method = asked(stepped, chosen), asked(phases, chosen), chosen["interval"], chosen["method"]
    if Central in method.needs and isinstance(space := ground.environment.action, Discrete):
        raise UserError(
            f"{method.name} moves an action along its critic's slope, and {chosen['env']} has a list of {space.n} "
            "actions: use sac, cql, iql or pa_rl, or ppo"
        )
    made = learner(ground, both, chosen, interval=interval, capacity=chosen["steps"] * interval)
    acting = method.acting(made.agent)
    deploy = ground.policy.deterministic() if method.acting is itself else Acted(acting, ground.environment)
    steps = chosen["steps"] + sum(phase.steps or 0 for phase in both)
    starts = Starts(ground.environment, split="test")
    seen = {"deploy": deploy, "measures": ground.measures, "every": chosen["every"]}
    return Run(made, steps, starts, problems=chosen["problems"], **seen)
