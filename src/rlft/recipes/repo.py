"""RePo's latents against those of a model that reconstructs. Zhu et al. 2023, arXiv:2309.00082."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.environments.acted import Acted
from rlft.evidence.claim import Arm, Claim, above
from rlft.methods.dreamer import dreamer
from rlft.methods.repo import repo as regularised
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.worldmodels.imagination import Centred
from rlft.worlds.distracted import dreamed

REPO = regularised(eps=3.0, beta=0.01, beta_lr=0.02, steps=15, horizon=10, gamma=0.95, entropy=1e-2, actor_lr=0.5)
DREAMER = dreamer(steps=15, horizon=10, gamma=0.95, entropy=1e-2, actor_lr=0.5)


def phases(
    method: OffPolicy, worlds: int = 32, updates: float = 0.1, anything: int = 960, interval: int = 960
) -> list[Phase]:
    """In worlds.

    Args:
        worlds: stepped side by side.
        updates: for each step of a world.
        anything: steps of worlds at the beginning whose actions are uniform; the first update follows them.
        interval: steps of worlds in a step, which is a line of the log.
    """
    return [Phase(method, worlds=worlds, utd=updates, anything=anything, warmup=max(anything, 1))]


@optioned(REPO, dreamed, phases, steps=6, batch=32, lr=1e-3, problems=64, every=0)
def repo(chosen: Mapping[str, Any]) -> Run:
    """What is evaluated acts without noise."""
    ground, both, interval = asked(dreamed, chosen), asked(phases, chosen), chosen["interval"]
    made = learner(ground, both, chosen, interval=interval, capacity=chosen["steps"] * interval)
    seen = {"deploy": Acted(Centred(ground.policy), ground.environment), "measures": ground.measures}
    starts = Starts(ground.environment, split="test")
    return Run(made, chosen["steps"], starts, problems=chosen["problems"], every=chosen["every"], **seen)


CLAIM = Claim(
    sentence="x",
    source="Zhu et al. 2023, arXiv:2309.00082",
    budget="x",
    scaled_down="x",
    real="rlft run repo",
    metric="score",
    table=("r2/state", "r2/distraction", "kl/latent", "beta"),
    shared=("decisions/drawn", "updates"),
    seeds=6,
    smoke={"steps": 2, "worlds": 4, "anything": 8, "interval": 16, "horizon": 8, "batch": 4, "width": 8, "problems": 4},
    arms={
        "repo": Arm("RePo, distracted", {}),
        "dreamer": Arm("Dreamer, distracted", {"method": DREAMER}),
        "repo-clean": Arm("RePo, clean", {"amplitude": 0.0}),
        "dreamer-clean": Arm("Dreamer, clean", {"method": DREAMER, "amplitude": 0.0}),
    },
    statements=[above("x", "repo", "dreamer", least=0.2)],
)
