"""Rows drawn ahead (`--ahead`): the seconds of a step with a slow reward, and what is learned from older rows.

python benchmarks/ahead.py time
python benchmarks/ahead.py curves --seeds 5 --steps 40
python benchmarks/ahead.py curves --seeds 5 --steps 40 --method rloo

Both train the character model of `rlft run arithmetic`. `time` pays it by a reward that sleeps for half a second a
batch, as one does that waits for a service or for programs; wall clock, median over steps after the first K + 2.
`curves` gives the mean reward of training over all steps and over the last ten, and the held-out reward at the end.
Writes benchmarks/results/ahead.json.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import mean, median, stdev

import torch

from rlft import methods, recipes
from rlft.training.evaluate import evaluate

RESULTS = Path(__file__).parent / "results" / "ahead.json"
SECONDS = 0.5
ARMS = {
    "0": {"ahead": 0},
    "1, token": {"ahead": 1},
    "1, none": {"ahead": 1, "staleness_correction": "none"},
    "4, token": {"ahead": 4},
    "4, row": {"ahead": 4, "staleness_correction": "row"},
    "4, none": {"ahead": 4, "staleness_correction": "none"},
}


def timed(prompts: int, ahead: int, steps: int) -> float:
    """The median wall-clock seconds of a step."""
    trainer = recipes.named("arithmetic")(prompts=prompts, group=8, ahead=ahead).trainer
    paid = trainer.reward

    def slow(problems, outputs):
        time.sleep(SECONDS)
        return paid(problems, outputs)

    trainer.reward = slow
    took = []
    for _ in range(steps + ahead + 2):
        began = time.perf_counter()
        trainer.step()
        took.append(time.perf_counter() - began)
    return median(took[ahead + 2 :])


def compare_times(steps: int) -> dict[str, dict[str, float]]:
    """Seconds a step by the batch and by how far ahead."""
    found: dict[str, dict[str, float]] = {}
    for prompts in (4, 16):
        found[f"{prompts} x 8 rows"] = row = {str(k): timed(prompts, k, steps) for k in (0, 1, 2, 4)}
        told = ", ".join(f"ahead {k} {value:.2f} s ({value / row['0']:.2f})" for k, value in row.items())
        print(f"{prompts} x 8 rows, a reward of {SECONDS} s a batch: {told}", flush=True)
    return found


def curve(seed: int, steps: int, told: dict) -> dict[str, float]:
    """One run: mean reward on the way, at its end, and on held-out problems."""
    run = recipes.named("arithmetic")(prompts=8, group=8, seed=seed, **told)
    lines = list(run.trainer.run(steps))
    rewards = [line["reward"] for line in lines]
    found = evaluate(run.deploy or run.trainer.policy, run.held_out, run.trainer.reward, problems=200, seed=seed)
    stale = [line.get("staleness", 0.0) for line in lines]
    return {"mean": mean(rewards), "last": mean(rewards[-10:]), "held-out": found.mean, "staleness": mean(stale)}


def compare_curves(seeds: int, steps: int, lr: float, method: str) -> dict[str, list[dict[str, float]]]:
    """Every arm on every seed."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    usual = {"lr": lr, "method": methods.named(method)()} if method != "grpo" else {"lr": lr}  # the recipe's own
    for seed in range(seeds):
        for name, told in ARMS.items():
            found[name].append(curve(seed, steps, {**usual, **told}))
    for name, cells in found.items():
        columns = {key: [cell[key] for cell in cells] for key in cells[0]}
        spread = {key: stdev(values) if len(values) > 1 else 0.0 for key, values in columns.items()}
        print(f"{name:<14}", *(f"{key} {mean(columns[key]):.3f} ± {spread[key]:.3f}" for key in columns), sep="  ")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("time", "curves"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--method", default="grpo", help="of the curves")
    parser.add_argument("--lr", type=float, default=1e-4)
    told = parser.parse_args()
    torch.set_num_threads(1)
    if told.what == "time":
        found = compare_times(told.steps or 8)
    else:
        found = compare_curves(told.seeds, told.steps or 40, told.lr, told.method)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    name = told.what if told.what == "time" else f"{told.what} {told.method}"
    RESULTS.write_text(json.dumps({**kept, name: {**vars(told), "found": found}}, indent=1) + "\n")


if __name__ == "__main__":
    main()
