"""RePo's latents against those of a model that reconstructs. Zhu et al. 2023, arXiv:2309.00082."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.evidence.claim import Arm, Claim, above, as_plain
from rlft.methods.dreamer import dreamer
from rlft.methods.repo import repo as regularised
from rlft.methods.repo_align import repo_align
from rlft.noise import hashed
from rlft.offpolicy.learner import Phase
from rlft.offpolicy.method import OffPolicy
from rlft.recipes import asked, learner, optioned
from rlft.runs.drive import Run
from rlft.tasks.starts import Starts
from rlft.training.evaluate import evaluate
from rlft.worlds.distracted import dreamed

# Raised when what is trained before a change would come out otherwise.
VERSION = 1
_LATER = ("align", "new_look", "louder", "align_lr")
REPO = regularised(eps=3.0, beta=0.01, beta_lr=0.02, steps=10, horizon=8, gamma=0.95, entropy=1e-2, actor_lr=0.5)
DREAMER = dreamer(steps=10, horizon=8, gamma=0.95, entropy=1e-2, actor_lr=0.5)


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


def changes(
    align: int = 0, new_look: int = 1, louder: float = 1.0, align_lr: float = 1e-3
) -> tuple[int, int, float, float]:
    """What changes after training, if anything does, and how long the encoder has for it.

    Args:
        align: steps of the run in the changed world, in which the encoder alone learns; 0 is training itself.
        new_look: which rotation it is seen through then.
        louder: factor on the distraction then.
        align_lr: learning rate then.
    """
    return align, new_look, louder, align_lr


@optioned(REPO, dreamed, phases, changes, steps=6, batch=16, lr=1e-3, problems=64, every=0)
def repo(chosen: Mapping[str, Any]) -> Run:
    """What is evaluated acts without noise."""
    align, new_look, louder, lr = asked(changes, chosen)
    if not align:
        return built(chosen, asked(phases, chosen))
    before, score = trained(chosen)
    world = {"look": new_look, "amplitude": chosen["amplitude"] * louder}
    kept = before.get("duals.beta.log_value")
    beta = chosen["method"].settings["beta"] if kept is None else float(kept.exp())
    told = {**chosen, **world, "steps": align, "lr": lr}
    run = built(told, asked(phases, {**told, "method": repo_align(beta, chosen["method"].steps)}))
    run.trainer.policy.load_state_dict({n.removeprefix("policy."): v for n, v in before.items() if "policy." in n})
    run.measures = [*run.measures, lambda problems, outputs: {"unchanged": score}]
    return run


def trained(chosen: Mapping[str, Any]) -> tuple[dict[str, Tensor], float]:
    """The agent after training in the world as it is, and its score there; cached."""
    plain = {name: as_plain(value) for name, value in chosen.items() if name not in (*_LATER, "runtime")}
    name = f"repo-{hashed(VERSION, sorted(plain.items())):x}.safetensors"

    def build() -> dict[str, Tensor]:
        run = built(chosen, asked(phases, chosen))
        list(run.trainer.run(run.steps))
        assert run.held_out is not None and run.reward is not None
        found = evaluate(run.deploy, run.held_out, run.reward, problems=run.problems, measures=run.measures)
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
        "align": Arm("RePo, distracted, then another look", {"align": 6}),
        "dreamer-clean": Arm("Dreamer, clean", {"method": DREAMER, "amplitude": 0.0}),
    },
    statements=[above("x", "repo", "dreamer", least=0.2)],
)
