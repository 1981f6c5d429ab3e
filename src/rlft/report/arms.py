"""The figure of a claim's arms: every seed's number with mean and interval, and a curve over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rlft.report import canvas


def figure(arms: Mapping[str, Mapping[str, Any]], metric: str, curve: str | None, name: str) -> str:
    """A standalone SVG.

    arms   by name: `values` of the metric, its `mean` and `interval` (None where there is none), and `curve`, None or
           `steps` and for every seed `values`
    """
    curves = {arm: data["curve"] for arm, data in arms.items() if data.get("curve")}
    height = 34 * len(arms) + 64
    width = 420 if not curves else 860
    drawing = Figure(figsize=(width / 72, max(height, 200) / 72))
    drawing.patch.set_alpha(0)
    label = 9 + 6.2 * max(len(arm) for arm in arms)
    share = (420 if curves else width) / width
    _dots(_axes(drawing, (label / width, share - 14 / width), max(height, 200)), arms, metric)
    if curves:
        _curves(_axes(drawing, (share + 46 / width, 1 - 10 / width), max(height, 200)), arms, curves, str(curve))
    return canvas.standalone(drawing, name)


def _axes(drawing: Figure, span: tuple[float, float], height: float) -> Any:
    ax = drawing.add_axes((span[0], 28 / height, span[1] - span[0], 1 - 58 / height))
    ax.set_facecolor("none")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(canvas.light("muted"))
    ax.tick_params(length=0, pad=5, labelsize=10, labelcolor=canvas.light("muted"))
    return ax


def _dots(ax: Any, arms: Mapping[str, Mapping[str, Any]], metric: str) -> None:
    for row, (colour, (_, data)) in enumerate(zip(_colours(len(arms)), arms.items(), strict=True)):
        hue = canvas.light(colour)
        values = [value for value in data["values"] if value is not None]
        ax.plot(values, [row + 0.16] * len(values), "o", color=hue, alpha=0.45, markersize=4, markeredgewidth=0)
        low, high = data["interval"]
        if low is not None and high is not None:
            ax.plot([low, high], [row - 0.12] * 2, color=hue, linewidth=2, solid_capstyle="round")
        if data["mean"] is not None:
            ax.plot([data["mean"]], [row - 0.12], "D", color=hue, markersize=6)
    ax.set_yticks(range(len(arms)), list(arms))
    ax.tick_params(axis="y", labelcolor=canvas.light("ink"))
    ax.set_ylim(len(arms) - 0.5, -0.6)
    ax.grid(axis="x", color=canvas.light("grid"), linewidth=0.8)
    ax.set_title(metric, loc="left", fontsize=10, color=canvas.light("ink"))


def _curves(ax: Any, arms: Mapping[str, Any], curves: Mapping[str, Any], title: str) -> None:
    for colour, arm in zip(_colours(len(arms)), arms, strict=True):
        if arm not in curves:
            continue
        steps = curves[arm]["steps"]
        values = np.array(curves[arm]["values"], dtype=np.float64)
        hue = canvas.light(colour)
        if len(values) > 1:
            ax.fill_between(steps, values.min(0), values.max(0), color=hue, alpha=0.13, linewidth=0)
        ax.plot(steps, values.mean(0), color=hue, linewidth=1.7)
    ax.grid(axis="y", color=canvas.light("grid"), linewidth=0.8)
    ax.set_title(f"{title}, by step (mean and range of seeds)", loc="left", fontsize=10, color=canvas.light("ink"))


def _colours(count: int) -> Sequence[str]:
    return [canvas.CYCLE[i % len(canvas.CYCLE)] for i in range(count)]
