"""A run folder evaluated as its recipe says: on its own held-out problems, by its own reward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlft.options.guide import Led, guided
from rlft.tool.again import trained
from rlft.training.evaluate import evaluate
from rlft.types import UserError


def evaluated(
    folder: Path,
    words: str | None = None,
    specs: Sequence[str] = (),
    *,
    problems: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    trusted: bool = False,
) -> dict[str, Any]:
    """What the trained policy of a recipe's run folder earns on the recipe's own held-out problems, led by `words`.

    It is scored by the recipe's reward, whatever it is led by; `problems` and `samples` are the recipe's by default.
    Without words it is sampled as the recipe deploys it, with them as it was trained. With them the numbers include
    `calls`, `calls/reward` …: what a row has cost. UserError if there is nothing to evaluate on, or no checkpoint.
    """
    run = trained(folder, trusted)
    reward = run.reward or run.trainer.reward
    if run.held_out is None or reward is None:
        raise UserError(f"{folder}: its recipe has no held-out problems with a reward to evaluate on")
    sampler = guided(run.trainer.policy, words, specs, reward) if words else run.deploy or run.trainer.policy
    found = evaluate(
        sampler,
        run.held_out,
        reward,
        problems=problems or run.problems,
        samples=samples or run.samples,
        seed=seed,
        measures=run.measures,
    )
    spent = sampler.spent.per_row() if words and isinstance(sampler, Led) else {}
    return {"model": str(folder), "guide": words, **found.numbers(), **spent}
