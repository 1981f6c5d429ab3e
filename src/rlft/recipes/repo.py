"""RePo's latents against those of a model that reconstructs. Zhu et al. 2023, arXiv:2309.00082.

A point is to be kept in the middle of a square. Its four numbers are seen through a rotation that mixes them with 32
series that have nothing to do with it, or with 32 zeros in the clean world. Dreamer and RePo learn the same recurrent
model from the same number of steps, actor and value in its imagination; one model reconstructs what it sees, the other
predicts rewards under a bound on what a latent may say. `score`: the return, 0 of uniform actions and 1 of a good
controller. `r2/state` and `r2/distraction`: what ridge regression reads off latents of held-out episodes. In `align`
the world is seen through another rotation after training, and the encoder alone learns; `recovered` is the score above
half-way between what it was then and what it had been before the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft import methods
from rlft.cache import cached
from rlft.evidence.claim import Arm, Claim, Lines, Numbers, above, as_plain, below, between, checks
from rlft.methods.dreamer import dreamer
from rlft.methods.repo import repo as repo_method
from rlft.methods.repo_align import repo_align
from rlft.noise import hashed
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.worlds.distracted import dreamed

# Raised when what is trained before a change would come out otherwise.
VERSION = 1
_APART = ("align", "new_look", "louder", "align_lr", "runtime", "needs", "critic")
REPO = repo_method(eps=3.0, beta=0.01, beta_lr=0.02, steps=10, horizon=8, gamma=0.95, entropy=1e-2, actor_lr=0.5)
DREAMER = dreamer(steps=10, horizon=8, gamma=0.95, entropy=1e-2, actor_lr=0.5)


def phases(
    method: OffPolicy,
    bound: float | None = None,
    worlds: int = 32,
    updates: float = 0.1,
    anything: int = 960,
    interval: int = 960,
) -> list[Phase]:
    """In worlds.

    Args:
        bound: of the KL, nats, instead of the method's own; of a method without one the weight of its KL.
        worlds: stepped side by side.
        updates: for each step of a world.
        anything: steps of worlds at the beginning whose actions are uniform; the first update follows them.
        interval: steps of worlds in a step, which is a line of the log.
    """
    if bound is not None:
        held = "eps" if "eps" in method.settings else "beta"
        method = methods.named(method.name)(**{**method.settings, held: bound})
    return [Phase(method, worlds=worlds, utd=updates, anything=anything, warmup=max(anything, 1))]


def changes(
    align: float = 0.0, new_look: int = 1, louder: float = 1.0, align_lr: float = 6e-3
) -> tuple[float, int, float, float]:
    """What changes after training, if anything does, and how long the encoder has for it.

    Args:
        align: after training, so many times its steps in the changed world, in which the encoder alone learns.
        new_look: which rotation it is seen through then.
        louder: factor on the distraction then.
        align_lr: learning rate then.
    """
    return align, new_look, louder, align_lr


@optioned(REPO, dreamed, phases, changes, steps=6, batch=16, lr=2e-3, problems=64, every=0)
def repo(chosen: Mapping[str, Any]) -> Run:
    """What is evaluated acts without noise."""
    align, new_look, louder, lr = asked(changes, chosen)
    if not align:
        return built(chosen, asked(phases, chosen))
    before, score = trained(chosen)
    world = {"look": new_look, "amplitude": chosen["amplitude"] * louder}
    kept = before.get("duals.beta.log_value")
    beta = chosen["method"].settings["beta"] if kept is None else float(kept.exp())
    told = {**chosen, **world, "steps": round(align * chosen["steps"]), "lr": lr}
    run = built(told, asked(phases, {**told, "method": repo_align(beta, chosen["method"].steps)}))
    run.trainer.policy.load_state_dict({n.removeprefix("policy."): v for n, v in before.items() if "policy." in n})
    run.measures = [*run.measures, lambda problems, outputs: {"unchanged": score}]
    return run


def trained(chosen: Mapping[str, Any]) -> tuple[dict[str, Tensor], float]:
    """The agent after training in the world as it is, and its score there; cached."""
    plain = {name: as_plain(value) for name, value in chosen.items() if name not in _APART}
    name = f"repo-{hashed(VERSION, sorted(plain.items())):x}.safetensors"

    def build() -> dict[str, Tensor]:
        run = built(chosen, asked(phases, chosen))
        list(run.trainer.run(run.steps))
        assert isinstance(run.trainer, Learner) and run.held_out is not None
        assert run.deploy is not None and run.trainer.reward is not None
        told = {"problems": run.problems, "measures": run.measures}
        found = evaluate(run.deploy, run.held_out, run.trainer.reward, **told).measures
        return {**run.trainer.agent.state_dict(), "score": torch.tensor(found["score"])}

    held = cached(name, build, save_file, load_file)
    score = float(held.pop("score"))
    return held, score


def built(chosen: Mapping[str, Any], both: list[Phase]) -> Run:
    """The run of these phases in this world."""
    ground, interval = asked(dreamed, chosen), chosen["interval"]
    made = learner(ground, both, chosen, interval=interval, capacity=chosen["steps"] * interval)
    seen = {"deploy": ground.policy.deterministic(), "measures": ground.measures}
    starts = Starts(ground.environment, split="test")
    return Run(made, chosen["steps"], starts, problems=chosen["problems"], every=chosen["every"], **seen)


def after_a_change(metrics: Lines, evaluations: Lines) -> Numbers:
    """Of a run in a changed world: `lost` by the change, and `recovered`, the score above half of that."""
    if not evaluations or "unchanged" not in evaluations[-1]:
        return {}
    before, after, unchanged = evaluations[0]["score"], evaluations[-1]["score"], evaluations[-1]["unchanged"]
    return {"lost": unchanged - before, "recovered": after - (before + unchanged) / 2}


_BOUNDS, _WEIGHTS = {"bound": (1.0, 3.0, 9.0)}, {"bound": (0.3, 1.0, 3.0)}
_DREAMER, _CLEAN = {"method": DREAMER}, {"amplitude": 0.0}
_UNBOUND = repo_method(**{**REPO.settings, "beta": 1e-6, "beta_lr": 0.0})

CLAIM = Claim(
    sentence="Latents that predict rewards under a bound on what they may say of an observation leave distraction out, "
    "are no worse without it and better with it than those that reconstruct, and their encoder can be aligned alone.",
    source="Zhu, Simchowitz, Gadipudi, Gupta, NeurIPS 2023, arXiv:2309.00082",
    budget="5,760 steps of the world for every arm, the first 960 with uniform actions, and an update for each ten "
    "after them; RePo chooses its bound from three and Dreamer the weight of its KL.",
    scaled_down="a point in a square seen as 36 numbers instead of pictures of walkers; a memory of 64 and "
    "8 numbers instead of 200 and 30; ten steps a sequence and eight imagined instead of 50 and 15; alignment by "
    "rewards and the KL, and not by support matching with calibration data.",
    real="rlft run repo --env NAME --steps 500 --interval 1000 --width 200 --batch 50 --lr 3e-4 --problems 10",
    metric="score",
    table=("r2/state", "r2/distraction", "train/kl/latent", "train/kl/over", "train/beta", "lost", "recovered"),
    shared=("decisions/drawn",),
    grid=_BOUNDS,
    tuning_seeds=(1000, 1001),
    seeds=6,
    more=after_a_change,
    curve="score",
    smoke={"steps": 1, "worlds": 4, "anything": 8, "interval": 16, "horizon": 4, "batch": 4, "problems": 4}
    | {"deter": 8, "width": 8, "updates": 0.3},
    arms={
        "repo": Arm("RePo, distracted", {}),
        "dreamer": Arm("Dreamer, distracted", _DREAMER, grid=_WEIGHTS),
        "repo-clean": Arm("RePo, clean", _CLEAN, seeds=16),
        "dreamer-clean": Arm("Dreamer, clean", {**_DREAMER, **_CLEAN}, grid=_WEIGHTS, seeds=16),
        "unbound": Arm("RePo without the bound: rewards alone, distracted", {"method": _UNBOUND}, grid={}),
        "align": Arm(
            "RePo, distracted; then another rotation, and the encoder alone learns", {"align": 1.0}, grid={}, seeds=24
        ),
    },
    statements=[
        above("better with distraction than reconstruction", "repo", "dreamer", least=0.2),
        between("as good without it", "repo-clean", "dreamer-clean", least=-0.2, most=0.2),
        below("holds less of the distraction", "repo", "dreamer", most=-0.3, of="r2/distraction"),
        above("aligning the encoder gets back half of what the change took", "align", least=0.0, of="recovered"),
        *checks(
            above("reconstruction learns the clean world", "dreamer-clean", least=0.5),
            above("the state can be read off RePo's latents", "repo", least=0.5, of="r2/state"),
            between("the bound is met", "repo", least=-1.0, most=0.5, of="train/kl/over"),
            above("the change takes something", "align", least=0.3, of="lost"),
            below("the bound leaves out more than rewards alone", "repo", "unbound", most=0.0, of="r2/distraction"),
        ),
    ],
)
