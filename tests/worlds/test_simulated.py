"""Scripts of a careless teacher: his slips and their faults in LAMMPS itself, measures and agents' loop by hand."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from rlft.rewards.simulation import Simulating, graded
from rlft.tasks.fluids import Fluid, Fluids, asked, expected, lines
from rlft.types import Problem, Text
from rlft.verifiers.lammps import Lammps, Simulated
from rlft.worlds import simulated
from rlft.worlds.simulated import SLIPS, among, careless, corrected, executed, fault_of
from tests.jails import needs_jail, needs_lammps

FLUID = Fluid("soft", "fcc", "0.7", "2", "langevin", "1.2", "50")


class Known:
    """A simulator for which scripts have what they are called: `ran`, `lost` or the name of what does not hold."""

    def check(self, scripts):
        good = {name: wanted if not isinstance(wanted, list) else wanted[0] for name, wanted in expected(FLUID).items()}
        return [
            Simulated(one, "", good) if one in ("ran", "lost") else Simulated("ran", "", {**good, one: None})
            for one in scripts
        ]


class Soft:
    """A few problems that are alike."""

    name, split, size = "soft", "test", 5

    def at(self, index):
        return problem(index)


def known():
    return Simulating(Known(), graded)


def problem(index=0):
    return Problem(index, asked(FLUID), None, {"expected": expected(FLUID), "fluid": FLUID})


@needs_lammps
@needs_jail
@pytest.mark.parametrize("number", range(len(SLIPS)))
def test_each_slip_has_a_fault_that_the_teacher_would_be_told_of(number):
    slip = SLIPS[number]
    fluid = replace(FLUID, pair="morse", lattice="bcc") if slip.part == "timestep" else FLUID
    parts = lines(fluid)
    wrong = slip.wrong(fluid, 3)
    assert wrong != parts[slip.part]
    text = Text("".join(word for part in {**parts, slip.part: wrong}.values() for word in part))
    row = replace(problem(), columns={"expected": expected(fluid), "fluid": fluid})
    assert fault_of(Simulating(Lammps(50), graded), row, text) in slip.faults


def test_the_teacher_slips_less_where_he_is_told():
    first = [careless(Fluids().at(index)) for index in range(600)]
    told = [one for one in first if "after" in one.input]
    assert 150 < len(told) < 250
    right = {
        name: [one.demonstration == one.answer for one in rows]
        for name, rows in (("told", told), ("all", [one for one in first if one not in told]))
    }
    assert sum(right["all"]) / len(right["all"]) < 0.3
    hot = [one for one in told if one.columns["after"] == "temperature" and one.columns["fluid"].ensemble == "langevin"]
    assert sum(" 100.0" in one.demonstration for one in hot) < 0.2 * len(hot)
    cold = [one for one in first if one not in told and one.columns["fluid"].ensemble == "langevin"]
    assert sum(" 100.0" in one.demonstration for one in cold) > 0.6 * len(cold)


def test_measures_by_hand():
    rows, texts = [problem(0)] * 4 + [problem(1)] * 4, ["ran", "lost", "steps", "ran", "lost", "lost", "lost", "drift"]
    found = executed(known())(rows, [Text(text) for text in texts])
    assert found["executed"] == 4 / 8
    assert found["executed@3"] == (1 + 3 / 4) / 2  # three of four never miss three that ran; of one, three in four
    assert found["success@3"] == (1 + 3 / 4) / 2  # two are right in the first; in the second no `drift` is expected
    assert among([[True, False, False, False]], 3) == pytest.approx(0.75)
    assert among([[False] * 4], 3) == 0


def test_the_loop_of_agents_by_hand():
    """A policy that is right once it is told `lost`, and otherwise loses its atoms."""

    class Policy:
        def sample(self, problems, group, seed):
            return SimpleNamespace(outputs=[Text("ran" if "after lost" in one.input else "lost") for one in problems])

    found = corrected(known(), Soft())(Policy())
    assert [found[f"corrected/{k}"] for k in (1, 2, 3)] == [0, 1, 1]
    assert (found["again/3"], found["corrected/gain"]) == (0, 1)
    assert (found["corrected/runs"], found["again/runs"]) == (2, 3)


def test_faults():
    reward = known()
    assert fault_of(reward, problem(), Text("ran")) == ""
    assert fault_of(reward, problem(), Text("lost")) == "lost"
    assert fault_of(reward, problem(), Text("steps")) == "steps"
    assert fault_of(reward, problem(), Text("units")) == "error"  # a prompt has no word for it
    assert reward.spent == 4


def test_recycling_goes_into_training_alone(monkeypatch):
    monkeypatch.setattr(simulated, "base", lambda imitation: None)
    monkeypatch.setattr(simulated, "Lammps", lambda *settings, **more: Known())
    for kind, word in (("faults", "after lost;"), ("plain", "first;")):
        world = simulated.simulated(recycled=kind, share=1.0, fluids=8, held_out=2)
        world.train.of.__self__.waiting = [(3, "lost")]
        assert world.train.at(0).input == Fluids(8).at(3).input.replace("first;", word)
        assert "after" not in world.test.at(0).input
