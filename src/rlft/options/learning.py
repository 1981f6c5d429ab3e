"""The numbers of a training run, as options and as a run: the one place where a Trainer is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from rlft.advantages.correction import Beyond, decoupled
from rlft.measure.difficulty import by_column
from rlft.rewards.limited import Limited
from rlft.runs.drive import Run
from rlft.training.optimizing import Optimizing
from rlft.training.trainer import Trainer
from rlft.types import Measure, Method, Policy, Reward, Runtime, Task, UserError


@dataclass(frozen=True)
class Learning:
    """How much is drawn, and how it is learned from.

    Args:
        steps: steps in all.
        prompts: problems in a step, over all processes.
        group: rollouts of each problem.
        rows: rows in one forward pass of an update; fewer need less memory and give the same result.
        budget: tokens in one instead: rows of like length go together, and a prompt is read once for its group.
        lr: learning rate; 1e-6 to 1e-5 for all weights, about 1e-4 with LoRA, more for tiny models.
        warmup: steps over which the learning rate rises to its value.
        max_grad_norm: bound on the gradient's norm.
        kl: measure the KL to the start at every step, also where the method does not need it.
        ahead: draw a step's rows with the weights of so many steps before, and reward them in the background.
        staleness_correction: of rows drawn ahead, weigh by the policy over the weights that drew it each decision
            (token) or the row as a whole; with none the method's own ratio is to the weights that drew them.
        staleness_bound: the largest weight.
        staleness_beyond: what becomes of a larger one: it is the bound, or what it weighs teaches nothing (mask).
    """

    steps: int = 200
    prompts: int = 16
    group: int = 8
    rows: int | None = None
    budget: int | None = None
    lr: float = 1e-5
    warmup: int = 0
    max_grad_norm: float = 1.0
    kl: bool = True
    ahead: int = 0
    staleness_correction: Literal["token", "row", "none"] = "token"
    staleness_bound: float = 2.0
    staleness_beyond: Beyond = "truncate"


@dataclass(frozen=True)
class Adapting:
    """Which weights are trained, and with how much memory.

    Args:
        lora: rank of LoRA adapters; none trains all weights.
        gradient_checkpointing: recompute activations in the backward pass to save memory.
    """

    lora: int | None = None
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class HeldOut:
    """What the policy is evaluated on, before and after.

    Args:
        eval_data: held-out problems, evaluated before and after; a task's own test split by default.
        eval_problems: how many of them at most, from 1.
        eval_samples: completions of each.
        eval_by: a column of the held-out data, of each of whose values the mean reward is reported besides.
    """

    eval_data: str | None = None
    eval_problems: int | None = 200
    eval_samples: int = 1
    eval_by: str | None = None


def trainer_of(
    learning: Learning,
    policy: Policy,
    method: Method,
    task: Task,
    reward: Reward,
    *,
    reference: Policy | None = None,
    measures: Sequence[Measure] = (),
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Trainer:
    """A Trainer with these numbers; the KL is measured to `reference`, by default to the policy as it is now."""
    if learning.ahead and isinstance(reward, Limited):
        raise UserError(
            "--reward-seconds interrupts the main thread, and with --ahead rewards are given in others: leave one "
            "of them out, or let the reward end itself and return None"
        )
    method = corrected(method, learning)
    told: dict[str, Any] = {"seed": seed, "reference": reference, "measures": measures, "runtime": runtime}
    return Trainer(policy, method, task, reward, **numbers_of(learning), **told)


def numbers_of(learning: Learning) -> dict[str, Any]:
    """The arguments of a Trainer that these numbers are."""
    return {
        "prompts": learning.prompts,
        "group": learning.group,
        "rows": learning.rows,
        "budget": learning.budget,
        "lr": learning.lr,
        "optimizing": Optimizing(partial(_warmed, learning.warmup), max_grad_norm=learning.max_grad_norm),
        "watch_kl": learning.kl,
        **({"ahead": learning.ahead} if learning.ahead else {}),  # what was without it stays as it was
    }


def corrected(method: Method, learning: Learning) -> Method:
    """The method for rows that are drawn ahead, if they are and it is to be corrected for that."""
    if not learning.ahead or learning.staleness_correction == "none":
        return method
    return decoupled(method, learning.staleness_correction, learning.staleness_bound, learning.staleness_beyond)


def _warmed(warmup: int, step: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))


def run_of(learning: Learning, trainer: Trainer, held_out: Task | None, evaluated: HeldOut, **more: Any) -> Run:
    """The run of a Trainer, evaluated on these problems; `more` are further fields of `Run`."""
    for name, value in vars(evaluated).items():
        if isinstance(value, int) and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1; got {value}")
    numbers = {"problems": evaluated.eval_problems, "samples": evaluated.eval_samples}
    if evaluated.eval_by is not None:
        reward = more.get("reward") or trainer.reward
        if reward is None:
            raise UserError("--eval-by scores held-out problems by a reward, and there is none: give --reward")
        apart = by_column(reward, evaluated.eval_by)
        more["measures"] = [*more.get("measures", ()), apart]
    return Run(trainer, learning.steps, held_out, **numbers, **more)
