"""The reward of simulations: rows and completions to numbers."""

import math

import pytest

from rlft.options.reward import load_reward
from rlft.rewards.adapt import explained
from rlft.rewards.simulation import graded, share, whole
from rlft.types import Problem, Text
from rlft.verifiers.lammps import Simulated
from tests.jails import needs_jail, needs_lammps

GAS = """region all block 0 9 0 9 0 9
create_box 1 all
create_atoms 1 single 1 1 1
mass 1 1.0
pair_style zero 1
pair_coeff * *
velocity all set 1 0 0
fix 1 all nve
run 5
"""


@needs_lammps
@needs_jail
def test_rows():
    row = Problem(0, "?", None, {"expected": '{"atoms": 1, "moved": [0.01, 0.1], "steps": 5}'})
    rows = [row, row, row, Problem(1, "?", {"atoms": 2}), Problem(2, "?", "no JSON"), Problem(3, "?", None)]
    texts = [f"```\n{GAS}```", GAS.replace("run 5", "run 4"), "run 5", GAS, GAS, GAS]
    outputs = [Text(text) for text in texts]
    scores = load_reward("lammps(steps=10)")(rows, outputs).tolist()
    assert scores[:4] == [1, 0, 0, 0]
    assert all(math.isnan(score) for score in scores[4:])
    reward = load_reward("lammps(steps=10, scored='share')")
    assert [round(score, 6) for score in reward(rows[:4], outputs[:4]).tolist()] == [1, 0.666667, 0, 0]
    assert explained(reward, row, outputs[0]) == "ran"
    assert explained(reward, row, outputs[1]) == "ran; steps is 4"
    assert explained(reward, row, outputs[2]).startswith("error: ")
    assert explained(reward, rows[5], outputs[0]) == "nothing is expected"


@pytest.mark.parametrize(
    ("reason", "values", "points"),
    [
        ("ran", {"units": "lj", "pair": "soft", "temperature": 1.0, "moved": 1.0}, 30),
        # 3 + 2 + 2 + 0 + 10 * 3/4
        ("ran", {"units": "lj", "pair": "soft", "temperature": 2.0, "moved": 1.0}, 14.5),
        # 3 + 0 + 2 + 3 + 10 * 3/4 - 3
        ("ran", {"units": "lj", "pair": "morse", "temperature": 1.0, "moved": 1.0}, 12.5),
        ("lost", {"units": "lj"}, 3 - 4 - 2),
        ("stopped", {"units": "lj"}, 3 - 4),
        ("error", {}, -6),
        ("empty", {}, -6),
    ],
)
def test_the_score_of_the_runtime(reason, values, points):
    wanted = {"units": "lj", "pair": "soft", "temperature": [0.9, 1.1], "moved": [0.1, None]}
    found = Simulated(reason, "", values)
    assert graded(found, wanted) == pytest.approx((points + 10) / 40)
    assert whole(found, wanted) == (points == 30)
    held = {30: 1.0, 14.5: 0.75, 12.5: 0.75}.get(points, 0.0)
    assert share(found, wanted) == held
