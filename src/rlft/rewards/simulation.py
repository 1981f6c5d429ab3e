"""The reward of simulations: does the LAMMPS script of a completion do what its row expects? In a jail, always."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.types import Problem, Reward
from rlft.verifiers.known import Known
from rlft.verifiers.lammps import Lammps, Simulated, lammps_in, met

Score = Callable[[Simulated, Mapping[str, Any]], float]


def lammps(
    *, scored: Literal["all", "share", "graded"] = "all", steps: int = 100, seconds: float = 10.0, workers: int = 1
) -> Reward:
    """1 where the script of a completion runs and all that its row expects holds, else 0.

    A row has the column `expected` (or it is the answer), JSON of measures and values or bounds:
    `{"units": "lj", "atoms": 256, "temperature": [0.7, 0.8], "drift": [-1e-5, 1e-5], "moved": [0.01, null]}`; the
    measures are in `rlft.verifiers.lammps.MEASURES`, in the script's own units. A completion is its last closed block,
    behind any `</think>`, or all of it without blocks. NaN: no such column.

    `scored` is `all`, or the `share` of what is expected that holds, or `graded`, as `graded` says. When a script has
    ended, its system goes on for `steps`, and is measured there. `seconds` of processor time for each, `workers` side
    by side. UserError without LAMMPS or bubblewrap.
    """
    scores: Mapping[str, Score] = {"all": whole, "share": share, "graded": graded}
    return Simulating(Lammps(steps, seconds, workers), scores[scored])


def whole(found: Simulated, wanted: Mapping[str, Any]) -> float:
    """1 if all that is expected holds, else 0."""
    return float(all(met(found, wanted).values()))


def share(found: Simulated, wanted: Mapping[str, Any]) -> float:
    """The share of what is expected that holds."""
    held = met(found, wanted).values()
    return sum(held) / len(held)


def graded(found: Simulated, wanted: Mapping[str, Any]) -> float:
    """The score of MDAgent2's runtime (arXiv:2601.02075), of what a simulation shows and no judge has to say.

        points    3 LAMMPS takes the script, 2 the forces asked for, 2 no atom lost and no number infinite,
                  3 energy or temperature as expected, 10 times the share of what is expected that holds,
                  10 if all of it does
        penalty   6 it makes no atoms, 4 it stops or breaks behind that, 3 other units or forces, 2 it diverges
        R = (clip(points - penalty, -10, 30) + 10) / 40

    So 1 is for what does all, and a script that does not start has 0.1. The paper's ten points of single items are the
    share here, and its 0 to 10 of a judge are all or nothing.
    """
    held = met(found, wanted)
    ran, starts = found.reason == "ran", bool(found.values)
    points = 3 * starts + 2 * ran * held.get("pair", True) + 2 * ran
    points += 3 * (ran and held.get("drift", True) and held.get("temperature", True))
    points += 10 * sum(held.values()) / len(held) + 10 * all(held.values())
    penalty = 6 * (not starts) + 4 * (starts and not ran) + 2 * (found.reason in ("lost", "infinite"))
    penalty += 3 * (ran and not (held.get("units", True) and held.get("pair", True)))
    return (min(max(points - penalty, -10), 30) + 10) / 40


@runtime_checkable
class Simulator(Protocol):
    """Runs scripts, as `verifiers.lammps.Lammps` does."""

    def check(self, scripts: Sequence[str]) -> list[Simulated]:
        """What becomes of each."""
        ...


@final
class Simulating:
    """Runs every script once, those that ran out of time again, and scores what became of it.

    simulator  runs scripts
    score      of what became of one, and what its row expects
    """

    def __init__(self, simulator: Simulator, score: Score):
        self.simulator, self.score = simulator, score
        self.spent = 0
        """How many simulations have been run."""
        self._known = Known[str, Simulated](lambda found: found.reason not in ("timeout", "ended"))

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        return self.scored(problems, outputs, self.score)

    def scored(self, problems: Sequence[Problem], outputs: Any, score: Score) -> Float[Tensor, "N"]:
        """The rows by another score."""
        expected = [expectations(problem) for problem in problems]
        found = self.outcomes(problems, outputs)
        return column([score(one, e) if one and e else None for one, e in zip(found, expected, strict=True)])

    def outcomes(self, problems: Sequence[Problem], outputs: Any) -> list[Simulated | None]:
        """What became of each row's script; None where nothing is expected of it."""
        scripts = [lammps_in(str(outputs[row])) if expectations(p) else None for row, p in enumerate(problems)]
        found = iter(self._known.of([one for one in scripts if one is not None], self._run))
        return [None if one is None else next(found) for one in scripts]

    def _run(self, scripts: Sequence[str]) -> list[Simulated]:
        self.spent += len(scripts)
        return self.simulator.check(scripts)

    def explain(self, problem: Problem, output: Any) -> str:
        """What LAMMPS says, or what of the expectations does not hold."""
        found, wanted = self.outcomes([problem], [output])[0], expectations(problem)
        if found is None or wanted is None:
            return "nothing is expected"
        if found.reason != "ran":
            return f"{found.reason}: {found.detail}".rstrip(": ")
        wrong = [f"{name} is {found.values.get(name)}" for name, holds in met(found, wanted).items() if not holds]
        return f"ran; {', '.join(wrong)}" if wrong else "ran"


def expectations(problem: Problem) -> Mapping[str, Any] | None:
    """What a row expects; None if it does not say."""
    value = problem.columns.get("expected", problem.answer)
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return read if isinstance(read, Mapping) and read else None
