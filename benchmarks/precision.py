"""Computing in bfloat16 beside float32: the same learning, and how far sampler and trainer are apart in each type.

    python benchmarks/precision.py        about five minutes; writes benchmarks/results/precision.json

A character model of 0.1 million weights, all of them trained, from the same start and on the same problems. The reward
is the share of its letters that are "a", minus that of "b". Curves are means of five steps; a type's spread is the
deviation over seeds. `first` is how far the ratio of trainer to sampler is from 1 before any step, at most and on
average; `rows` is what drawing 3 rows at a time changes, in the rows that stay the same, and the share of those.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import torch

from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.training.trainer import Trainer
from rlft.types import Problem

SEEDS, STEPS, LENGTH = range(5), 40, 16


class Letters:
    """Prompts of three letters."""

    name, split, size = "letters", "train", None

    def at(self, index: int) -> Problem:
        letters = "abcdefgh"
        return Problem(index, "".join(letters[(index * step) % 8] for step in (1, 3, 5)), task=self.name)


def liked(problems: Any, outputs: Any) -> list[float]:
    """The share of a, minus the share of b."""
    return [(output.count("a") - output.count("b")) / LENGTH for output in outputs]


def policy(dtype: torch.dtype, seed: int) -> Language:
    """Random weights, the same in both types but for rounding."""
    tokenizer = character_tokenizer("abcdefgh")
    model: Any = small_llama(len(tokenizer), width=64, layers=2, heads=4, context=32, seed=seed)
    return Language(model.to(dtype), tokenizer, max_new_tokens=LENGTH)


def curve(dtype: torch.dtype, seed: int) -> list[float]:
    """Mean rewards of each five steps."""
    trainer = Trainer(policy(dtype, seed), grpo(beta=0.0), Letters(), liked, prompts=8, group=8, lr=3e-4, seed=seed)
    rewards = [float(metrics["reward"]) for metrics in trainer.run(STEPS)]
    return [statistics.mean(rewards[start : start + 5]) for start in range(0, STEPS, 5)]


def apart(dtype: torch.dtype) -> dict[str, float]:
    """Sampler and trainer, and a row among other neighbours."""
    model, problems = policy(dtype, 0), [Letters().at(index) for index in range(16)]
    rows = model.sample(problems, 8, seed=0)
    off = (model.log_prob(rows) - rows.logp_old)[rows.mask].abs()
    model.rows = 3
    few = model.sample(problems, 8, seed=0)
    same = (few.trace["completion"] == rows.trace["completion"]).all(1)
    moved = (few.logp_old - rows.logp_old)[same].abs()
    return {
        "first, most": float(off.exp().sub(1).max()),
        "first, mean": float(off.exp().sub(1).mean()),
        "rows, most": float(moved.max()),
        "rows, the same": float(same.double().mean()),
    }


def main() -> None:
    torch.set_num_threads(1)
    found: dict[str, Any] = {"command": "python benchmarks/precision.py", "steps": STEPS}
    for name in ("float64", "float32", "bfloat16"):
        found[name] = {"apart": apart(getattr(torch, name))}
        print(name, found[name]["apart"], flush=True)
    for name in ("float32", "bfloat16"):
        curves = [curve(getattr(torch, name), seed) for seed in SEEDS]
        points = list(zip(*curves, strict=True))
        found[name]["reward"] = [statistics.mean(point) for point in points]
        found[name]["spread"] = [statistics.stdev(point) for point in points]
        for what in ("reward", "spread"):
            print(name, what, " ".join(f"{value:.3f}" for value in found[name][what]), flush=True)
    place = Path(__file__).parent / "results" / "precision.json"
    place.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
