"""The declared statements, judged by the measured numbers. Runs nothing.

A statement holds if its whole interval lies within its bounds, fails if the whole interval lies outside, and is open
otherwise. The claim is reproduced if everything claimed holds, not reproduced if anything claimed fails, and
inconclusive otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rlft.errors import UserError
from rlft.evidence.claim import Statement
from rlft.evidence.statistics import interquartile_mean, interval

HOLDS, FAILS, OPEN = "holds", "fails", "open"
REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"

Runs = Mapping[str, Mapping[int, Mapping[str, float]]]
"""arm -> seed -> measured numbers"""


def judged(statement: Statement, runs: Runs) -> dict[str, Any]:
    """The statement with its values for every seed, their mean, interval and outcome."""
    values = paired(statement, runs)
    low, high = interval(values)
    if any(not math.isfinite(value) for value in values):
        outcome = OPEN
    elif statement.least <= low and high <= statement.most:
        outcome = HOLDS
    elif high < statement.least or low > statement.most:
        outcome = FAILS
    else:
        outcome = OPEN
    mean = sum(values) / len(values)
    return {"values": values, "mean": mean, "interval": [low, high], "outcome": outcome}


def paired(statement: Statement, runs: Runs) -> list[float]:
    """The statement's number for every seed, less the other arm's on the same seed where both have it."""

    def number(arm: str, seed: int) -> float:
        measured = runs[arm][seed]
        if statement.metric not in measured:
            raise UserError(
                f"the statement {statement.text!r} is about {statement.metric!r}, which {arm} does not measure; "
                f"it measures {', '.join(sorted(measured))}"
            )
        return measured[statement.metric]

    if statement.over is None:
        return [number(statement.arm, seed) for seed in sorted(runs[statement.arm])]
    both = sorted(runs[statement.arm].keys() & runs[statement.over].keys())
    return [number(statement.arm, seed) - number(statement.over, seed) for seed in both]


def verdict(outcomes: Sequence[str]) -> str:
    """The verdict from the outcomes of what was claimed."""
    if FAILS in outcomes:
        return NOT_REPRODUCED
    return INCONCLUSIVE if OPEN in outcomes else REPRODUCED


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, interquartile mean and interval of an arm's number over seeds."""
    return {
        "mean": sum(values) / len(values),
        "interquartile_mean": interquartile_mean(values),
        "interval": list(interval(values)),
    }


def uneven(counts: Sequence[str], runs: Runs, trained: Sequence[str]) -> list[str]:
    """What the arms that train were to spend alike and did not, to one part in a hundred."""
    found = []
    for count in counts:
        spent = {arm: [n.get(f"cost/{count}", 0.0) for n in runs[arm].values()] for arm in trained}
        flat = [value for values in spent.values() for value in values]
        if flat and max(flat) > 1.01 * min(flat):
            per_arm = ", ".join(f"{arm} {sum(v) / len(v):g}" for arm, v in spent.items())
            found.append(f"{count}: {per_arm}")
    return found
