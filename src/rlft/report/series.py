"""Arithmetic on logged series: smoothing, thinning, means of the first and last tenth. Not for drawing or wording."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

Series = Float[np.ndarray, " n"]
Thinned = Float[np.ndarray, " m"]


def finite(values: Series) -> Thinned:
    """The values without NaN and infinity."""
    return values[np.isfinite(values)]


def mean(values: Series) -> float | None:
    """The mean of the finite values; None if there are none."""
    kept = finite(values)
    return float(kept.mean()) if len(kept) else None


def ends(values: Series) -> tuple[float | None, float | None]:
    """Means of the first and of the last tenth of the series, rounded up and at least one value each, NaN left out."""
    size = max(1, math.ceil(len(values) / 10))
    return mean(values[:size]), mean(values[-size:])


def window(count: int) -> int:
    """Over how many steps a curve of this length is smoothed: a twentieth, odd."""
    return max(1, count // 20 // 2 * 2 + 1)


def smooth(values: Series, width: int) -> Series:
    """Centred moving average over `width` (odd) values; NaN is left out, and at the ends the window shrinks.

    Degenerates into the series itself for width 1. NaN where the whole window is NaN.
    """
    valid = np.isfinite(values)
    box = np.ones(width)
    count = np.convolve(valid.astype(np.float64), box)
    total = np.convolve(np.where(valid, values, 0.0), box)
    half = width // 2
    inner = slice(half, half + len(values))
    return np.where(count[inner] > 0.5, total[inner] / np.maximum(count[inner], 1.0), np.nan)


def thin(steps: Series, values: Series, most: int) -> tuple[Thinned, Thinned, Thinned, Thinned]:
    """At most `most` bins of equal count as (mean step, least, mean, greatest); no fewer points than there were if few.

    A bin without a finite value is NaN.
    """
    if len(values) <= most:
        kept = np.where(np.isfinite(values), values, np.nan)
        return steps, kept, kept, kept
    edges = np.linspace(0, len(values), most + 1).round().astype(int)
    starts, sizes = edges[:-1], np.diff(edges)
    valid = np.isfinite(values)
    count = np.add.reduceat(valid.astype(np.float64), starts)
    empty = count < 0.5
    least = np.minimum.reduceat(np.where(valid, values, np.inf), starts)
    most_ = np.maximum.reduceat(np.where(valid, values, -np.inf), starts)
    middle = np.add.reduceat(np.where(valid, values, 0.0), starts) / np.maximum(count, 1.0)
    where = np.add.reduceat(steps, starts) / sizes
    least, middle, most_ = (np.where(empty, np.nan, column) for column in (least, middle, most_))
    return where, least, middle, most_


def trend(values: Series) -> tuple[float, float] | None:
    """How far the series moved, and how far noise alone would move it, from its first to its last fifth.

    The noise of one step is std(x[t+1] - x[t]) / sqrt 2, which a slow trend does not inflate; the difference of two
    means over m steps then has standard error noise * sqrt(2 / m). None for fewer than 20 finite values.
    """
    kept = finite(values)
    if len(kept) < 20:
        return None
    size = len(kept) // 5
    moved = float(kept[-size:].mean() - kept[:size].mean())
    noise = float(np.diff(kept).std() / math.sqrt(2))
    return moved, noise * math.sqrt(2 / size)
