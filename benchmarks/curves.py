"""Draws docs/images/sac_curves.png from the learning curves that `control.py --curve` left in benchmarks/results/.

python benchmarks/curves.py
"""

import json
from pathlib import Path
from statistics import mean

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

ROOT = Path(__file__).parents[1]
WORLDS = ("InvertedPendulum-v5", "HalfCheetah-v5")
SIDES = {"ours": ("rlft", "#1f5fa8"), "theirs": ("Stable-Baselines3", "#c96a1b")}


def main() -> None:
    figure, panels = pyplot.subplots(1, len(WORLDS), figsize=(9, 3.2), layout="constrained")
    for panel, world in zip(panels, WORLDS, strict=True):
        found = json.loads((ROOT / "benchmarks" / "results" / f"control_{world}.json").read_text())
        for side, (name, colour) in SIDES.items():
            lines = [seed[side] for seed in found["seeds"]]
            steps = [found["settings"]["every"] * (k + 1) for k in range(len(lines[0]))]
            for line in lines:
                panel.plot(steps, line, color=colour, linewidth=0.8, alpha=0.35)
            middle = [mean(values) for values in zip(*lines, strict=True)]
            panel.plot(steps, middle, color=colour, linewidth=2, label=f"{name}, mean of {len(lines)}")
        panel.set_title(world, fontsize=10)
        panel.set_xlabel("environment steps")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("return without noise")
    panels[1].legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(ROOT / "docs" / "images" / "sac_curves.png", dpi=130)


if __name__ == "__main__":
    main()
