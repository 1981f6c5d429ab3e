"""How long a run will take, said when a first step has been measured. Predicts nothing before."""

from __future__ import annotations

from collections.abc import Collection

from rlft.report.words import duration

# Seconds that are left: fewer are not worth a line, more are worth a word on what makes them fewer.
_SHORT, _LONG = 60.0, 3600.0
# Options that make a step shorter, by what they are called in a run's arguments, the most telling first.
_LOWER = ("steps", "max_new_tokens", "prompts", "group", "interval", "worlds", "width", "batch")


def estimate(step: int, seconds: float, steps: int, told: Collection[str] = (), evaluated: bool = False) -> str | None:
    """A sentence on the steps that are left after this one; None for less than a minute.

    seconds    what the step took
    steps      in all
    told       names of the run's arguments: after more than an hour those that make it shorter are named
    evaluated  whether evaluations come on top
    """
    left, rest = steps - step, (steps - step) * seconds
    if rest < _SHORT:
        return None
    more = ", and evaluations come on top" if evaluated else ""
    said = f"step {step} took {duration(seconds)}; {left} more like it will take about {duration(rest)}{more}"
    names = [f"--{name.replace('_', '-')}" for name in _LOWER if name in told]
    if rest < _LONG or not names:
        return said
    return (
        f"{said}. Ctrl-C stops and saves; lower {', '.join(names[:-1])}{' or ' * (len(names) > 1)}{names[-1]} for less"
    )
