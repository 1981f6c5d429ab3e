"""Offline reinforcement learning over chunks of actions, from few demonstrations. Huang et al. 2025, arXiv:2508.02219.

The tip of an arm has to be pushed into a slot and is paid for that alone; a slip at the face ends the episode. There
are 50 demonstrations, of which 60 % should not be copied: they aim beside the slot, or dawdle. The policy decides on 8
actions at once. It imitates them all (`bc`); or it imitates first and then follows critics that learn from chunks
(`chunked`); or, with a policy and critics of single actions, from single steps (`single`), whose own imitation is
`bc/single`. Nobody acts before the evaluation, which is without noise.

`cycle` is the mean length of episodes that succeed; `log_cycle`, its logarithm, makes of shares differences. `unseen`
is the success where the slot is at heights that no demonstration has. Control: demonstrations without flaws, which
leave nothing to gain in success.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.co_rft import co_rft as chunked
from rlft.offpolicy.actors import imitating
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.types import UserError
from rlft.worlds.inserted import inserted

_COMMON: dict[str, Any] = {"gamma": 0.97, "tau": 0.02, "noise": 0.1, "most": 0.2, "conservatism": 0.01}
_COMMON |= {"norm": layer_norm}
_RL, _BC = {"method": chunked(weight=1.0, **_COMMON)}, {"method": chunked(weight=0.0, **_COMMON)}
_WEIGHTS, _RATES = {"method.weight": (0.1, 0.3, 1.0)}, {"lr": (3e-4, 1e-3, 3e-3)}


def phases(method: OffPolicy, imitation: int = 1000, updates: int = 3000) -> list[Phase]:
    """Imitation, and then reinforcement learning, both of the demonstrations alone.

    Args:
        imitation: updates in which the policy learns to imitate; 0 follows the critics from the first.
        updates: all of them, at least as many.
    """
    if not 0 <= imitation <= updates or updates < 1:
        raise UserError(f"--imitation takes between 0 and all of --updates, at least 1; got {imitation} of {updates}")
    alone: dict[str, Any] = {"worlds": 0, "offline": 1.0}
    first = [Phase(imitating(method), steps=1, **alone)] if imitation else []
    return [*first, Phase(method, **alone)]


@optioned(_RL["method"], inserted, phases, batch=64, lr=1e-3)
def co_rft(chosen: Mapping[str, Any]) -> Run:
    """A step is as many updates as the imitation takes."""
    ground, both = asked(inserted, chosen), asked(phases, chosen)
    interval = chosen["imitation"] or chosen["updates"]
    made = learner(ground, both, chosen, interval=interval, capacity=1)
    steps, starts = -(-chosen["updates"] // interval), Starts(ground.environment, split="test")
    seen = {"deploy": ground.policy.deterministic(), "measures": ground.measures, "probes": ground.probes}
    return Run(made, steps, starts, problems=chosen["problems"], **seen)


CLAIM = Claim(
    sentence="From some fifty demonstrations, offline reinforcement learning whose temporal differences run over "
    "chunks of actions succeeds more often than imitation, in less time, and also in positions never seen.",
    source="Huang et al. 2025, CO-RFT: Efficient Fine-Tuning of Vision-Language-Action Models through Chunked Offline "
    "Reinforcement Learning, arXiv:2508.02219",
    budget="3000 updates of 64 windows on 50 demonstrations; RL imitates in the first 1000. Nobody acts.",
    scaled_down="The tip of an arm in the plane with exact observations, and networks of two layers of 64, instead of "
    "RoboVLMs on a humanoid; sparse rewards instead of dense ones; one value of a whole chunk instead of a sequence of "
    "them; demonstrations whose flaws are known. The paper's losses are not published with code: Cal-QL's bound and "
    "TD3+BC over chunks are our reading of it.",
    real="rlft run co_rft --env gymnasium_robotics:FrankaKitchen-v1 --data D4RL/kitchen/partial-v2 --chunk 8 "
    "--worlds 0 --imitation 50 --steps 250 --interval 1000 --width 256 --batch 256",
    metric="reward",
    table=("unseen", "cycle", "steps"),
    shared=("updates",),
    grid=_RATES,
    seeds=12,
    smoke={"demonstrations": 3, "imitation": 2, "updates": 4, "batch": 8, "width": 8, "problems": 2},
    arms={
        "bc": Arm("imitation, chunks of 8", _BC),
        "bc/single": Arm("imitation, single actions", {"chunk": 1, **_BC}),
        "single": Arm("CO-RFT of single steps", {"chunk": 1, **_RL}, grid=_WEIGHTS),
        "chunked": Arm("CO-RFT of chunks of 8", _RL, grid=_WEIGHTS),
        "perfect/bc": Arm("imitation of demonstrations without flaws", {"flawed": 0.0, **_BC}, grid={}, seeds=5),
        "perfect/chunked": Arm("CO-RFT of demonstrations without flaws", {"flawed": 0.0, **_RL}, grid={}, seeds=5),
    },
    statements=[
        above("succeeds more often than imitation", "chunked", "bc", least=0.1),
        below("takes 10 % less time", "chunked", "bc", most=math.log(0.9), of="log_cycle"),
        above("succeeds more often where the slot was never seen", "chunked", "bc", least=0.1, of="unseen"),
        *checks(
            above("chunks succeed no less often than single steps", "chunked", "single", least=-0.05),
            below("and take no more time", "chunked", "single", most=math.log(1.1), of="log_cycle"),
            above("single steps too succeed more often than their imitation", "single", "bc/single", least=0.05),
            between(
                "after perfect demonstrations nothing is gained",
                "perfect/chunked",
                "perfect/bc",
                least=-0.05,
                most=0.05,
            ),
            between("imitation is neither hopeless nor perfect", "bc", least=0.3, most=0.95),
        ),
    ],
)
