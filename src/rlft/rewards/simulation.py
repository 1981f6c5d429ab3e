"""The reward of simulations: does the LAMMPS script of a completion do what its row expects? In a jail, always."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from rlft.rewards.adapt import column
from rlft.types import Problem, Reward
from rlft.verifiers.lammps import Lammps, Simulated, lammps_in, met

_MOST = 65536


def lammps(*, partial: bool = False, steps: int = 100, seconds: float = 10.0, workers: int = 1) -> Reward:
    """1 where the script of a completion runs and all that its row expects holds, else 0.

    A row has the column `expected` (or it is the answer), JSON of measures and values or bounds:
    `{"units": "lj", "atoms": 256, "temperature": [0.7, 0.8], "drift": [-1e-5, 1e-5], "moved": [0.01, null]}`; the
    measures are in `rlft.verifiers.lammps.MEASURES`, in the script's own units. With `partial` the share of them that
    holds. A completion is its last closed block, behind any `</think>`, or all of it without blocks. NaN: no such
    column.

    When a script has ended, its system goes on for `steps`, and is measured there. `seconds` of processor time for
    each, `workers` side by side. UserError without LAMMPS or bubblewrap.
    """
    return _Simulating(Lammps(steps, seconds, workers), partial)


@final
class _Simulating:
    """Runs every script once; those that ran out of time again."""

    def __init__(self, simulator: Lammps, partial: bool):
        self.simulator, self.partial = simulator, partial
        self._known: dict[str, Simulated] = {}

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        expected = [_expected(problem) for problem in problems]
        scripts = [lammps_in(str(outputs[row])) for row in range(len(expected))]
        found = self._simulated([one for one, wanted in zip(scripts, expected, strict=True) if wanted])
        return column(
            [self._score(found[one], wanted) if wanted else None for one, wanted in zip(scripts, expected, strict=True)]
        )

    def explain(self, problem: Problem, output: Any) -> str:
        """What LAMMPS says, or what of the expectations does not hold."""
        if not (wanted := _expected(problem)):
            return "nothing is expected"
        script = lammps_in(str(output))
        found = self._simulated([script])[script]
        if found.reason != "ran":
            return f"{found.reason}: {found.detail}".rstrip(": ")
        wrong = [f"{name} is {found.values.get(name)}" for name, holds in met(found, wanted).items() if not holds]
        return f"ran; {', '.join(wrong)}" if wrong else "ran"

    def _score(self, found: Simulated, wanted: Mapping[str, Any]) -> float:
        held = list(met(found, wanted).values())
        return sum(held) / len(held) if self.partial else float(all(held))

    def _simulated(self, scripts: Sequence[str]) -> dict[str, Simulated]:
        if len(self._known) > _MOST:
            self._known.clear()
        new = list(dict.fromkeys(one for one in scripts if one not in self._known))
        found = dict(zip(new, self.simulator.check(new), strict=True))
        self._known |= {one: value for one, value in found.items() if value.reason not in ("timeout", "ended")}
        return {one: found[one] if one in found else self._known[one] for one in scripts}


def _expected(problem: Problem) -> Mapping[str, Any] | None:
    value = problem.columns.get("expected", problem.answer)
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return read if isinstance(read, Mapping) and read else None
