"""The curves of a run: what is drawn, under which title, with which words. Style is `canvas`, arithmetic `series`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from rlft.report import canvas, series
from rlft.report.concerns import RATIO_TOLERANCE
from rlft.report.files import Run, as_number
from rlft.report.summary import bounds, evaluation_names, evaluations, measure
from rlft.report.words import duration, number

POINTS = 320  # a curve is thinned to so many points; wider than any panel in pixels
MOST_PANELS = 48  # further metrics are listed, not drawn
_WIDE, _NARROW, _SMALL = (980, 300), (400, 260), (320, 170)
_FLOOR = 1e-9  # where a zero is drawn on a logarithmic scale

# key: (title, what it says). Metrics without an entry are drawn too, under their own name.
_KNOWN = {
    "kl": ("KL to the start", "How far the policy has moved from where it began, nats a row."),
    "length": ("Length", "Decisions of the policy per row: tokens, denoising steps, actions."),
    "entropy": ("Entropy", "Spread of the policy's choices. Near 0 it always does the same."),
    "ratio/first": (
        "First ratio, distance from 1",
        "Sampler against trainer before any update. It should stay under the dashed line, 5e-5.",
    ),
    "grad_norm": ("Gradient norm", "Before clipping."),
    "clipped": ("Clipped share", "Share of decisions whose ratio left the trust region."),
}
# Further metrics whose names do not say it all.
_NOTES = {
    "reward_std": "Spread of the rewards of one step.",
    "groups/flat": "Share of groups in which every rollout got the same reward.",
    "ratio/mean": "New to old probability, mean over decisions and updates.",
    "drift": "KL from the policy that sampled to the updated one, nats a decision.",
    "advantage/abs": "Mean size of an advantage.",
    "rows/unscored": "Rows that the reward could not score; they are left out.",
    "decisions_per_second": "Over the whole step.",
}
STAGES = ("sample", "reward", "credit", "update")


@dataclass(frozen=True)
class Panel:
    """One figure of the page. `narrow` is the same figure for a phone, where one size does not do for both."""

    title: str
    svg: str
    note: str = ""
    latest: str = ""
    narrow: str = ""
    legend: tuple[tuple[str, str], ...] = ()  # (name of a colour, label)


def reward_panel(run: Run) -> Panel | None:
    """Training reward, raw and smoothed, with held-out evaluations and their intervals; None without either."""
    steps, values = run.column("reward")
    names = evaluation_names(run)[: len(canvas.CYCLE) - 1]
    if not len(values) and not names:
        return None
    width = series.window(len(values))
    legend = [("blue", "training" + (f" (bold: mean of {width} steps)" if width > 1 else ""))] if len(values) else []
    legend += [(colour, name) for colour, name in zip(canvas.CYCLE[1:], names, strict=False)]
    drawn = []
    for size in (_WIDE, _NARROW):
        figure, ax = canvas.axes(*size)
        _curve(ax, steps, values, "blue")
        for colour, name in zip(canvas.CYCLE[1:], names, strict=False):
            _evaluation(ax, run, name, colour)
        drawn.append(canvas.inline(figure, f"reward-{size[0]}"))
    note = "Bars are the evaluations' intervals." if any(bounds(r) for r in run.evaluations) else ""
    return Panel("Reward", drawn[0], note=note, narrow=drawn[1], legend=tuple(legend))


def known_panels(run: Run) -> list[Panel]:
    """KL, length, entropy, first ratio, gradient norm, clipped share: those that were logged."""
    return [_single(run, key, *_KNOWN[key]) for key in _KNOWN if _drawable(run, key)]


def part_panels(run: Run) -> list[Panel]:
    """The parts of the reward, a few to a panel."""
    keys = [key for key in run.logged if key.startswith("reward/") and _drawable(run, key)]
    per = len(canvas.CYCLE)
    return [_together(run, keys[i : i + per], f"parts-{i}") for i in range(0, len(keys), per)]


def measure_panels(run: Run) -> list[Panel]:
    """What was measured of the training rollouts besides their reward."""
    keys = [key for key in run.logged if key.startswith("measure/") and _drawable(run, key)]
    return [_single(run, key, key.removeprefix("measure/"), "") for key in keys[:MOST_PANELS]]


def other_panels(run: Run) -> list[Panel]:
    """Every other numeric metric, under its own name, at most `MOST_PANELS`."""
    return [_single(run, key, key, _NOTES.get(key, "")) for key in _other_keys(run)[:MOST_PANELS]]


def undrawn(run: Run) -> list[tuple[str, str]]:
    """What no panel shows: metrics beyond the limit, and values that are not numbers; (key, last value)."""
    measures = [key for key in run.logged if key.startswith("measure/") and _drawable(run, key)]
    beyond = _other_keys(run)[MOST_PANELS:] + measures[MOST_PANELS:]
    words = [key for key in run.logged if not len(run.column(key)[0])]
    last = {key: next(r[key] for r in reversed(run.metrics) if key in r) for key in (*beyond, *words)}
    return [(key, number(v) if (v := as_number(value)) is not None else str(value)) for key, value in last.items()]


def seconds_panel(run: Run) -> Panel | None:
    """Seconds of a step, stacked by stage; what `seconds/step` has beyond the stages is `rest`."""
    keys = [key for key in run.logged if key.startswith("seconds/") and _drawable(run, key)]
    stages = [key for key in keys if key != "seconds/step"]
    stages.sort(key=lambda key: STAGES.index(key[8:]) if key[8:] in STAGES else len(STAGES))
    stages = stages[: len(canvas.CYCLE) - 1]
    if not stages:
        return None
    steps, layers = _layers(run, stages, "seconds/step" in keys)
    labels = [key.removeprefix("seconds/") for key in stages] + ["rest"]
    colours = (*canvas.CYCLE[: len(stages)], "grid")
    spent = [float(np.nansum(layer)) for layer in layers]
    shown = [i for i, total in enumerate(spent) if total > 0.001 * sum(spent)]
    drawn = []
    for size in (_WIDE, _NARROW):
        figure, ax = canvas.axes(size[0], size[1] - 90)
        _stack(ax, steps, [layers[i] for i in shown], [colours[i] for i in shown])
        drawn.append(canvas.inline(figure, f"seconds-{size[0]}"))
    legend = tuple((colours[i], f"{labels[i]}, {duration(spent[i])} in all") for i in shown)
    return Panel("Seconds per step", drawn[0], narrow=drawn[1], legend=legend)


def compare_panel(runs: Sequence[tuple[str, Run]]) -> Panel:
    """Smoothed training rewards of several runs, one colour each, with their held-out evaluations as dots."""
    drawn = []
    colours = [canvas.CYCLE[i % len(canvas.CYCLE)] for i in range(len(runs))]
    for size in (_WIDE, _NARROW):
        figure, ax = canvas.axes(*size)
        for colour, (_, run) in zip(colours, runs, strict=True):
            steps, values = run.column("reward")
            _curve(ax, steps, values, colour)
            for name in evaluation_names(run)[:1]:
                _evaluation(ax, run, name, colour)
        drawn.append(canvas.inline(figure, f"compare-{size[0]}"))
    legend = tuple((colour, label) for colour, (label, _) in zip(colours, runs, strict=True))
    note = "Lines: training reward, raw and smoothed. Dots: held-out evaluations with their intervals."
    return Panel("Reward", drawn[0], note=note, narrow=drawn[1], legend=legend)


def _other_keys(run: Run) -> list[str]:
    taken = ("reward/", "seconds/", "measure/")
    return [
        k for k in run.logged if k != "reward" and k not in _KNOWN and not k.startswith(taken) and _drawable(run, k)
    ]


def _drawable(run: Run, key: str) -> bool:
    return len(run.column(key)[0]) > 0


def _single(run: Run, key: str, title: str, note: str) -> Panel:
    steps, values = run.column(key)
    latest = number(float(values[-1]))
    if not len(series.finite(values)):
        return Panel(title, "", note="No finite value was logged. " + note, latest=latest)
    figure, ax = canvas.axes(*_SMALL)
    if key == "ratio/first":
        ax.set_yscale("log")
        ax.axhline(RATIO_TOLERANCE, color=canvas.light("orange"), linewidth=1, linestyle=(0, (4, 3)))
        ax.set_ylim(_FLOOR / 2, max(1e-3, 3 * float(np.abs(series.finite(values)).max())))
        ax.set_yticks([1e-9, 1e-7, 1e-5, 1e-3], ["0", "1e-7", "1e-5", "1e-3"])
        ax.minorticks_off()
        values = np.maximum(np.abs(values), _FLOOR)
    _curve(ax, steps, values, "blue")
    return Panel(title, canvas.inline(figure, f"metric-{key}"), note=note, latest=latest)


def _together(run: Run, keys: list[str], name: str) -> Panel:
    figure, ax = canvas.axes(*_SMALL)
    for colour, key in zip(canvas.CYCLE, keys, strict=False):
        steps, values = run.column(key)
        where, _, mid, _ = series.thin(steps, series.smooth(values, series.window(len(values))), POINTS)
        ax.plot(where, mid, color=canvas.light(colour), linewidth=1.5, marker=_marker(mid), markersize=3)
    legend = tuple((colour, key.removeprefix("reward/")) for colour, key in zip(canvas.CYCLE, keys, strict=False))
    return Panel("Parts of the reward", canvas.inline(figure, name), legend=legend, note="Smoothed.")


def _curve(ax: Axes, steps: np.ndarray, values: np.ndarray, colour: str) -> None:
    """A raw series, pale, and its moving average over it; a thinned one shows the range of each bin instead."""
    if not len(values):
        return
    hue, width = canvas.light(colour), series.window(len(values))
    where, low, mid, high = series.thin(steps, values, POINTS)
    if len(values) > POINTS:
        ax.fill_between(where, low, high, color=hue, alpha=0.2, linewidth=0)
    elif width > 1:
        ax.plot(where, mid, color=hue, alpha=0.4, linewidth=0.8)
    bold = series.thin(steps, series.smooth(values, width), POINTS)[2] if width > 1 else mid
    ax.plot(where, bold, color=hue, linewidth=1.7, marker=_marker(bold), markersize=3.5, solid_capstyle="round")


def _marker(values: np.ndarray) -> str:
    return "o" if len(values) <= 12 else ""


def _evaluation(ax: Axes, run: Run, name: str, colour: str) -> None:
    found = [(r["step"], value, bounds(r)) for r in evaluations(run, name) if (value := measure(r)) is not None]
    if not found:
        return
    hue = canvas.light(colour)
    steps, values = [f[0] for f in found], [f[1] for f in found]
    ax.plot(steps, values, color=hue, linewidth=1.3, marker="o", markersize=6, zorder=4, clip_on=False)
    for step, _, span in found:
        if span:
            ax.plot([step, step], span, color=hue, linewidth=1.6, alpha=0.7, zorder=3, clip_on=False)


def _layers(run: Run, stages: list[str], with_rest: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """Seconds of each stage at each step, a gap as 0, and last the rest of `seconds/step`."""
    steps = np.array([record["step"] for record in run.metrics], dtype=np.float64)

    def full(key: str) -> np.ndarray:
        column = np.array([as_number(record.get(key)) or 0.0 for record in run.metrics])
        return np.where(np.isfinite(column), np.maximum(column, 0.0), 0.0)

    layers = [full(key) for key in stages]
    total = full("seconds/step") if with_rest else np.zeros(len(steps))
    return steps, [*layers, np.maximum(total - sum(layers), 0.0)]


def _stack(ax: Axes, steps: np.ndarray, layers: list[np.ndarray], colours: list[str]) -> None:
    base = np.zeros(min(len(steps), 160))
    for layer, colour in zip(layers, colours, strict=True):
        where, _, mid, _ = series.thin(steps, layer, 160)
        ax.fill_between(where, base, base + mid, color=canvas.light(colour), alpha=0.75, linewidth=0)
        base = base + mid
    ax.set_ylim(0, max(1e-9, 1.08 * float(base.max())))
