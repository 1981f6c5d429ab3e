"""Small simulations asked for in words, and the LAMMPS scripts that run them. For models of a few thousand words.

    morse; bcc; density 0.7; 2 cells; nvt 1.2; run 100; first;     units lj
                                                               lattice bcc 0.7
                                                               region box block 0 2 0 2 0 2
                                                               create_box 1 box
                                                               create_atoms 1 box
                                                               mass 1 1.0
                                                               pair_style morse 2.5
                                                               pair_coeff 1 1 1.0 5.0 1.12
                                                               velocity all create 1.2 4928
                                                               fix 1 all nvt temp 1.2 1.2 0.1
                                                               timestep 0.005
                                                               run 100

A row has what must hold of the system that a script leaves, in the form that the reward `lammps` reads. All are in
reduced units. A prompt may end with what went wrong with an earlier script.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rlft.noise import hashed
from rlft.types import Problem, UserError

PAIRS: Mapping[str, tuple[str, str]] = {
    "lj": ("pair_style lj/cut 2.5\n", "pair_coeff 1 1 1.0 1.0\n"),
    "morse": ("pair_style morse 2.5\n", "pair_coeff 1 1 1.0 5.0 1.12\n"),
    "soft": ("pair_style soft 1.2\n", "pair_coeff 1 1 20.0\n"),
    "yukawa": ("pair_style yukawa 2.0 2.5\n", "pair_coeff 1 1 5.0\n"),
}
STYLES: Mapping[str, str] = {name: style.split()[1] for name, (style, _) in PAIRS.items()}
LATTICES: Mapping[str, int] = {"bcc": 2, "fcc": 4}
DENSITIES = ("0.3", "0.5", "0.7", "0.85")
TEMPERATURES = ("0.6", "0.9", "1.2", "1.6", "2.0")
CELLS = ("2", "3")
STEPS = ("50", "100", "150")
ENSEMBLES: Mapping[str, tuple[str, ...]] = {
    "nve": ("fix 1 all nve\n",),
    "nvt": ("fix 1 all nvt temp ", "T", " ", "T", " ", "D", "\n"),
    "langevin": ("fix 1 all nve\nfix 2 all langevin ", "T", " ", "T", " ", "D", " 4928\n"),
}
DAMP, TIMESTEP = "0.1", "0.005"
FAULTS = (
    *("error", "refused", "empty", "lost", "infinite", "stopped", "ended", "timeout"),
    *("pair", "atoms", "density", "steps", "temperature", "drift", "moved", "dangerous"),
)
"""What a prompt may say of an earlier script: why it did not run, or the first expectation that does not hold."""
_SPLITS = ("train", "test")


@dataclass(frozen=True)
class Fluid:
    """What is asked for: a name of `PAIRS`, of `LATTICES`, of `ENSEMBLES`, and numbers as they stand in a script."""

    pair: str
    lattice: str
    density: str
    cells: str
    ensemble: str
    temperature: str
    steps: str


class Fluids:
    """Simulations of all kinds, split in halves by a hash. Columns: `expected`, and the `fluid`'s own parts.

    The answer is one right script; there are others.
    """

    def __init__(self, size: int | None = None, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"fluids have the splits {', '.join(_SPLITS)}; not {split!r}")
        self.name, self.size, self.split = "fluids", size, split

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while hashed("half", fluid := _drawn(hashed(self.split, index, attempt))) % 2 != _SPLITS.index(self.split):
            attempt += 1
        columns = {"expected": expected(fluid), "fluid": fluid}
        return Problem(index, asked(fluid), script(fluid), columns, self.name, self.split)


def asked(fluid: Fluid, fault: str = "") -> str:
    """The words of a prompt, and what went wrong before, of `FAULTS`, if anything did."""
    words = (fluid.pair, fluid.lattice, f"density {fluid.density}", f"{fluid.cells} cells")
    last = f"{fluid.ensemble} {fluid.temperature}", f"run {fluid.steps}"
    return "".join(f"{word}; " for word in (*words, *last)) + (f"after {fault};" if fault else "first;")


def told(problem: Problem, fault: str) -> Problem:
    """The problem, asked for again after this fault."""
    columns = {**problem.columns, "after": fault}
    return replace(problem, input=asked(problem.columns["fluid"], fault), columns=columns)


def lines(fluid: Fluid) -> dict[str, tuple[str, ...]]:
    """The script by its parts, each of some words."""
    style, coefficients = PAIRS[fluid.pair]
    filled = {"T": fluid.temperature, "D": DAMP}
    return {
        "units": ("units lj\n",),
        "lattice": (f"lattice {fluid.lattice} ", fluid.density, "\n"),
        "region": (f"region box block 0 {fluid.cells} 0 {fluid.cells} 0 {fluid.cells}\n",),
        "box": ("create_box 1 box\n",),
        "atoms": ("create_atoms 1 box\n",),
        "mass": ("mass 1 1.0\n",),
        "style": (style,),
        "coefficients": (coefficients,),
        "velocity": ("velocity all create ", fluid.temperature, " 4928\n"),
        "ensemble": tuple(filled.get(word, word) for word in ENSEMBLES[fluid.ensemble]),
        "timestep": ("timestep ", TIMESTEP, "\n"),
        "run": ("run ", fluid.steps, "\n"),
    }


def script(fluid: Fluid) -> str:
    """A script that does it."""
    return "".join(word for part in lines(fluid).values() for word in part)


def expected(fluid: Fluid) -> dict[str, Any]:
    """What must hold of the system that a script leaves, in the order in which it is looked at.

    Where a thermostat holds the temperature it is within a third of what was asked for: so much a mean over few atoms
    may be off. Where energy is kept its drift is small.
    """
    density, target = float(fluid.density), float(fluid.temperature)
    found: dict[str, Any] = {
        "units": "lj",
        "pair": STYLES[fluid.pair],
        "atoms": LATTICES[fluid.lattice] * int(fluid.cells) ** 3,
        "density": [0.99 * density, 1.01 * density],
        "steps": int(fluid.steps),
    }
    if fluid.ensemble == "nve":
        found["drift"] = [-1e-3, 1e-3]
    else:
        found["temperature"] = [target * 2 / 3, target * 4 / 3]
    return {**found, "moved": [0.01, None], "dangerous": 0}


def _drawn(draw: int) -> Fluid:
    def one(what: str, names: Any) -> str:
        listed = list(names)
        return listed[hashed(draw, what) % len(listed)]

    return Fluid(
        one("pair", PAIRS),
        one("lattice", LATTICES),
        one("density", DENSITIES),
        one("cells", CELLS),
        one("ensemble", ENSEMBLES),
        one("temperature", TEMPERATURES),
        one("steps", STEPS),
    )


# One token each: what is asked, and the parts of scripts, right ones and those that a careless teacher writes.
WORDS = (
    *(f"{name}; " for name in (*PAIRS, *LATTICES)),
    *(f"density {number}; " for number in DENSITIES),
    *(f"{number} cells; " for number in CELLS),
    *(f"{name} {number}; " for name in ENSEMBLES for number in TEMPERATURES),
    *(f"run {number}; " for number in STEPS),
    *("first;", *(f"after {fault};" for fault in FAULTS)),
    *("units lj\n", "units metal\n", *(f"lattice {name} " for name in LATTICES)),
    *(f"region box block 0 {number} 0 {number} 0 {number}\n" for number in CELLS),
    *(
        "create_box 1 box\n",
        "create_atoms 1 box\n",
        "mass 1 1.0\n",
        *(word for pair in PAIRS.values() for word in pair),
    ),
    *("velocity all create ", " 4928\n", "timestep ", "run ", "fix 1 all nve\n", "fix 1 all nvt temp "),
    *("fix 1 all nve\nfix 2 all langevin ", " ", "\n"),
    *dict.fromkeys((*DENSITIES, *TEMPERATURES, *STEPS, DAMP, "100.0", TIMESTEP, "0.05", "0.0")),
)
