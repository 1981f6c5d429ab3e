"""Molecular dynamics; cheats earn nothing here, and each looks like a run to whoever reads the log."""

import math

import pytest

from rlft.types import UserError
from rlft.verifiers.lammps import Lammps, Simulated, lammps_in, met, refused
from tests.jails import needs_jail, needs_lammps

ATOMS = """units lj
lattice fcc 0.8442
region b block 0 3 0 3 0 3
create_box 1 b
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
"""
SCRIPT = ATOMS + "fix 1 all nve\nthermo 50\nrun 100\n"
EXPECTED = {
    "units": "lj",
    "atoms": 108,
    "steps": [100, None],
    "temperature": [0.6, 1.0],
    "drift": [-1e-4, 1e-4],
    "moved": [0.01, None],
    "dangerous": 0,
}


@pytest.fixture(scope="module")
def lammps():
    return Lammps(steps=50, seconds=2.0)


@needs_lammps
@needs_jail
def test_a_script_is_measured_while_it_goes_on(lammps):
    found, again = lammps.check([SCRIPT, SCRIPT])
    assert found == again
    assert found.reason == "ran"
    assert all(met(found, EXPECTED).values()), found
    assert met(found, {**EXPECTED, "temperature": [1.2, None], "atoms": 107}) == {
        **dict.fromkeys(EXPECTED, True),
        "temperature": False,
        "atoms": False,
    }


@needs_lammps
@needs_jail
def test_an_atom_flies_as_far_as_it_should(lammps):
    """Two atoms that do not meet, at speed 2 in a box of 9^3: 50 steps of 0.01 take them 1 further."""
    script = """region all block 0 9 0 9 0 9
create_box 1 all
create_atoms 1 single 1 1 1
create_atoms 1 single 5 5 5
mass 1 3.0
pair_style zero 1
pair_coeff * *
velocity all set 2 0 0
timestep 0.01
fix 1 all nve
run 7
"""
    found = lammps.check([script])[0]
    values = found.values
    assert found.reason == "ran"
    assert (values["atoms"], values["steps"], values["units"]) == (2, 7, "lj")
    assert values["moved"] == pytest.approx(1.0)
    assert values["drift"] == pytest.approx(0.0, abs=1e-12)
    assert values["energy"] == pytest.approx(6.0)  # 1/2 m v^2
    assert values["temperature"] == pytest.approx(2 * 2 * 6.0 / 3)  # of 2 * 6.0 by three degrees of freedom of 6
    assert values["density"] == pytest.approx(2 * 3.0 / 9**3)


CHEATS = {
    "ends before it fails": (SCRIPT.replace("run 100", "quit 0\nfoo"), "refused"),
    "prints what was asked for": ('print "Step Temp\\n 100 0.8"\nprint "Total wall time: 0:00:01"\n', "empty"),
    "runs no step": (SCRIPT.replace("run 100", "run 0"), "steps"),
    "says it ran": (SCRIPT.replace("run 100", "reset_timestep 100"), "refused"),
    "the same, put together": (SCRIPT.replace("run 100", "variable r string reset_\n${r}timestep 100"), "refused"),
    "time stands still": (SCRIPT.replace("fix 1", "timestep 0\nfix 1"), "moved"),
    "nothing moves": (SCRIPT.replace("fix 1 all nve\n", ""), "moved"),
    "ignores lost atoms": (SCRIPT.replace("fix 1", "timestep 0.05\nthermo_modify lost ignore\nfix 1"), "atoms"),
    "atoms on each other": (SCRIPT.replace("mass", "create_atoms 1 box\nmass"), "error"),
    "does not look at neighbours": (SCRIPT.replace("fix 1", "neigh_modify delay 1000 check no\nfix 1"), "dangerous"),
    "stops when it goes on": (
        SCRIPT.replace("fix 1", "fix 2 all halt 1 v_s > 100 error continue\nfix 1").replace(
            "units lj", "units lj\nvariable s equal step"
        ),
        "stopped",
    ),
    "renames a column": (
        SCRIPT.replace("run", "timestep 0\nthermo_style custom step temp\nthermo_modify colname temp Moved\nrun"),
        "moved",
    ),
    "runs another program": (SCRIPT + "shell ls\n", "refused"),
    "reads another file": (SCRIPT + "include in.lammps\n", "refused"),
    "never ends": (SCRIPT.replace("run 100", "run 100000000"), "timeout"),
    "is no script": ("foo 1", "error"),
}


@needs_lammps
@needs_jail
@pytest.mark.parametrize("name", CHEATS)
def test_cheats(lammps, name):
    script, fault = CHEATS[name]
    found = lammps.check([script])[0]
    wrong = [what for what, holds in met(found, EXPECTED).items() if not holds]
    if found.reason == "ran":
        assert fault in wrong, found
    else:
        assert found.reason == fault, found
        assert wrong == list(EXPECTED)


def test_what_is_refused():
    assert refused("log none\n") == "log"
    assert refused("run 1 # quit\n") == ""
    assert refused("print quitting\n") == ""
    assert refused('if "1==1" then "q${u}it"\n').startswith("if")
    assert refused("fix 1 all &\n  nve\nvariable a equal 3\nvelocity all create ${a} 1\n") == ""


def test_what_is_expected():
    ran = Simulated("ran", "", {"temperature": 0.8, "units": "lj", "dangerous": None, "drift": math.nan})
    assert met(ran, {"temperature": [0.7, None], "units": "lj"}) == {"temperature": True, "units": True}
    assert met(ran, {"temperature": [None, 0.7], "units": "metal"}) == {"temperature": False, "units": False}
    assert met(ran, {"dangerous": [0, 0], "moved": [0, 1]}) == {"dangerous": False, "moved": False}
    assert met(Simulated("lost", "", ran.values), {"units": "lj"}) == {"units": False}
    for wrong in ({"speed": 3}, {"drift": [1]}, {"drift": ["a", None]}):
        with pytest.raises(UserError):
            met(ran, wrong)


def test_where_the_script_is():
    assert lammps_in("```lammps\nrun 1\n```") == "run 1\n"
