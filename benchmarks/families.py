"""The same method values on three kinds of model: reward, distance to the start, and what the reward cannot see.

    python benchmarks/families.py            prints a table, writes benchmarks/results/families.json (minutes)
    python benchmarks/families.py --steps 5  a quick look, writes nothing

One learning rate for each family, none tuned for a method, one seed: the table shows that the slots suffice, and does
not rank methods.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from rlft import recipes
from rlft.methods.grpo import grpo
from rlft.methods.loop import loop
from rlft.methods.ppo import ppo
from rlft.methods.reinforce import reinforce
from rlft.methods.rloo import rloo
from rlft.runs.folder import circumstances
from rlft.training.evaluate import evaluate

ROOT = Path(__file__).parents[1]
METHODS = {
    "reinforce": reinforce(),
    "rloo": rloo(),
    "grpo": grpo(beta=0.0),
    "loop": loop(minibatches=2),
    "ppo": ppo(value_lr=10.0),
}
# recipe, what the reward is called, what it cannot see
FAMILIES = {
    "arithmetic": ("share of right sums", "distinct"),
    "digits": ("ink", "frechet"),
    "point_mass": ("return", "effort"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=None, help="steps of each run; by default the recipe's own")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measured(family, name, asked.steps) for family in asked.families for name in METHODS]
    print(table(rows))
    if asked.steps is None and len(asked.families) == len(FAMILIES):
        folder = ROOT / "benchmarks" / "results"
        folder.mkdir(exist_ok=True)
        (folder / "families.json").write_text(json.dumps({"rows": rows, **circumstances()}, indent=1) + "\n")


def measured(family: str, name: str, steps: int | None) -> dict:
    """One run: before and after on the same held-out problems."""
    settings = {} if steps is None else {"steps": steps}
    run = recipes.named(family)(method=METHODS[name], **settings)
    trainer, unseen = run.trainer, FAMILIES[family][1]

    def held_out() -> dict:
        found = evaluate(
            trainer.policy, run.held_out, trainer.reward, problems=run.problems, samples=2, measures=run.measures
        )
        return found.numbers()

    before, start = held_out(), time.process_time()
    log = list(trainer.run(run.steps))
    seconds, after = time.process_time() - start, held_out()
    line = {"family": family, "method": name, "steps": run.steps, "cpu_seconds": round(seconds, 1)}
    line |= {"reward": [before["reward"], after["reward"]], "interval": [before["interval"], after["interval"]]}
    line |= {"kl": log[-1]["kl"], "unseen": [before[unseen], after[unseen]]}
    print(line, flush=True)
    return line


def table(rows: list[dict]) -> str:
    """Markdown."""
    heads = ("family", "method", "reward, held out", "KL to the start, nats a row", "unseen", "steps", "CPU s")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        what, unseen = FAMILIES[row["family"]]
        (r0, r1), (u0, u1) = row["reward"], row["unseen"]
        lines.append(
            f"| {row['family']} | {row['method']} | {what} {r0:.2f} → {r1:.2f} | {row['kl']:.1f} | "
            f"{unseen} {u0:.2f} → {u1:.2f} | {row['steps']} | {row['cpu_seconds']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
