"""Numbers, durations and changes as people read them. Not a place for anything that computes."""

from __future__ import annotations

import math

MISSING = "–"  # an en dash: a number that was not measured


def number(value: float | int | None) -> str:
    """About three significant digits: `0.412`, `3.14`, `143`, `12,345`, `1.2e-5`; `–` for None; `NaN`, `inf` as such.

    Whole numbers below 100,000 are printed whole.
    """
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    size = abs(value)
    if value == int(value) and size < 1e5:
        return f"{int(value):,}"
    if size >= 1e7 or size < 5e-4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    digits = (
        0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.01 else 4 if size >= 0.001 else 5
    )
    return f"{value:,.{digits}f}"


def change(before: float | int | None, after: float | int | None) -> str:
    """`+0.410`, `-0.02`; empty where either side is missing or not finite."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return ""
    difference = after - before
    return ("+" if difference >= 0 else "") + number(difference)


def interval(bounds: tuple[float, float] | None) -> str:
    """`[0.28, 0.34]`, or nothing."""
    return f"[{number(bounds[0])}, {number(bounds[1])}]" if bounds else ""


def duration(seconds: float | int | None) -> str:
    """`0.8 s`, `42 s`, `4 min 10 s`, `2 h 05 min`, `3 d 4 h`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def percent(share: float) -> str:
    """`0 %`, `3 %`, `100 %`; a share that is neither none nor all never rounds to either."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    if rounded == 100 and share < 1:
        return "over 99 %"
    return f"{rounded} %"


def count(many: int, noun: str, plural: str = "") -> str:
    """`1 step`, `2,000 steps`; `plural` where an s is not enough."""
    return f"{many:,} {noun if many == 1 else plural or noun + 's'}"
