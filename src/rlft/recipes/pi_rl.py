"""Flow policies for control, fine-tuned by the likelihoods of their denoising steps. Chen et al. 2025, "π_RL",
arXiv:2510.25889.

A point mass is paid for reaching a goal behind a wall, and for nothing else. A flow policy has imitated twenty
episodes, with chunks of four actions: `moved`, of a wall whose gap has moved since by half its width; `two`, of an
expert who is sent through either of two gaps, wherever he starts. Not half of its starts arrive. PPO, with the critic
and GAE over chunks, then goes on with it by Flow-SDE, at every denoising step or at one of them, chosen at random for
each chunk (hybrid), or by Flow-Noise. Judged is what is deployed, the ODE, on starts nobody trained on.

How much noise there is decides how much is explored, so its level is tuned as the learning rate is, each arm from a
grid of the same size; `noise-paper` has the bounds of the paper, whose actions are another robot's. A Gaussian policy
with chunks, of the same episodes and networks, is what one would use without a flow; it is judged by its mode. `price`
counts what an update takes: passes of the velocity's network with a gradient, and processor time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlft.evidence.claim import Arm, Claim, above, below, between, checks
from rlft.methods.ppo import ppo
from rlft.recipes import recipe
from rlft.worlds.flowing import Where, flowing

_PPO = ppo(gamma=0.99, lam=0.95, value_lr=3.0, epochs=4, minibatches=2)
pi_rl = recipe(flowing, _PPO, watch_kl=False, steps=40, prompts=64, group=1, lr=1e-3, rows=None, problems=512, every=0)

_SDE, _NOISE = (0.5, 1.0), (0.32, 0.64)
_PLACES: tuple[Where, ...] = ("moved", "two")


def _arms(where: Where) -> dict[str, Arm]:
    """All arms in one of the worlds."""

    def arm(text: str, policy: str, levels: Sequence[float] = (), **more: Any) -> Arm:
        grid: dict[str, Sequence[float]] = {"lr": (3e-4, 1e-3), **({"level": levels} if levels else {})}
        return Arm(f"{where}: {text}", {"where": where, "policy": policy, **more}, grid={} if more else grid)

    return {
        f"{where}/sft": arm("the flow that has imitated", "sde", steps=0),
        f"{where}/sde": arm("Flow-SDE, every step noisy", "sde", _SDE),
        f"{where}/hybrid": arm("Flow-SDE, one noisy step for each chunk", "hybrid", _SDE),
        f"{where}/noise": arm("Flow-Noise", "noise", _NOISE),
        f"{where}/gaussian": arm("a Gaussian that has imitated the same, PPO", "gaussian"),
    }


_OTHERS: Mapping[str, Arm] = {
    "quiet": Arm("two: Flow-SDE, less noise", {"where": "two", "level": 0.2}, grid={}),
    "one-step": Arm("two: Flow-SDE, a single denoising step", {"where": "two", "denoising_steps": 1}, grid={}),
    "eight-steps": Arm("two: Flow-SDE, eight denoising steps", {"where": "two", "denoising_steps": 8}, grid={}),
    "noise-paper": Arm("two: Flow-Noise, the paper's bounds", {"where": "two", "policy": "noise"}, grid={}),
    "price": Arm("hybrid, what an update takes", {"policy": "hybrid", "timed": 64, "steps": 0}, grid={}),
}

CLAIM = Claim(
    sentence="Reinforcement learning by the likelihoods of denoising steps, with learned noise or by an SDE of the "
    "same marginals, takes a flow policy far beyond the demonstrations that it was taught; one noisy step for each "
    "chunk does as well as all of them, and an update takes half of the time.",
    source="Chen et al. 2025, arXiv:2510.25889",
    budget="40 batches of 64 episodes of at most 40 steps, and eight updates of each, for every arm. Arms choose their "
    "learning rate and their level of noise from two each.",
    scaled_down="A point mass and networks of two layers of 64 for π0 and π0.5 in LIBERO, ManiSkill, MetaWorld and "
    "CALVIN; the critic has a network of its own, of what is observed; no bonus for entropy. Not what several tasks at "
    "once or pictures ask for.",
    real="rlft run flow_policy --env MODULE:ENV --flow POLICY.py:load --chunk 5 --denoising-steps 4 --noisy one "
    "--method ppo --method.gamma 0.99 --method.lam 0.95 --method.value-lr 20 --method.minibatches 30 --prompts 512 "
    "--lr 5e-6 --steps 240",
    metric="success",
    table=(
        "steps",
        "effort",
        "before/success",
        "train/clipped",
        "cost/decisions/drawn",
        "passes/share",
        "speed/update",
    ),
    seeds=6,
    smoke={"steps": 1, "episodes": 2, "imitation": 2, "prompts": 2, "problems": 2, "horizon": 8},
    arms={**_arms("moved"), **_arms("two"), **_OTHERS},
    statements=[
        *(
            statement
            for w in _PLACES
            for statement in (
                above(f"{w}: Flow-SDE arrives more often than imitation", f"{w}/sde", f"{w}/sft", least=0.2),
                above(f"{w}: so does Flow-Noise", f"{w}/noise", f"{w}/sft", least=0.2),
                above(f"{w}: Flow-Noise at least as often as Flow-SDE", f"{w}/noise", f"{w}/sde", least=-0.05),
                between(f"{w}: one noisy step as often as all", f"{w}/hybrid", f"{w}/sde", least=-0.05, most=0.05),
            )
        ),
        below("with one noisy step an update takes less time", "price", most=0.6, of="speed/update"),
        *checks(
            between("for it is one pass of four", "price", least=0.25, most=0.25, of="passes/share"),
            below("two: less noise, less success", "quiet", "two/sde", most=-0.02),
            below("two: so with one denoising step", "one-step", "two/sde", most=-0.02),
            below("two: and with eight", "eight-steps", "two/sde", most=-0.02),
            below("two: within the paper's bounds learned noise is too little here", "noise-paper", "two/noise"),
            above("two: a Gaussian arrives as often", "two/gaussian", "two/sde", least=-0.05),
            above("two: but it began higher", "two/gaussian", "two/sde", of="before/success"),
        ),
    ],
)
