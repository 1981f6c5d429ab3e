"""What the base is shown, and what a world of two steps measures."""

from dataclasses import replace

import pytest
import torch

from rlft.tasks.driving import Driving, planned, told
from rlft.types import Text
from rlft.worlds.driving import Decoded, Shown, blank, drives, driving, scaled


def parts(problem):
    reason, _, acts = problem.demonstration.partition("<a")
    return reason, "<a" + acts


def test_reasons_are_corrupted_whatever_the_driver_does():
    shown, task = Shown(30, 30, 50), Driving()
    rows = [(task.at(index), shown.at(index)) for index in range(900)]
    rows = [(gold, drawn) for gold, drawn in rows if told(gold.input).ahead and "stop" in gold.columns["intent"]]
    wrong = torch.tensor([parts(drawn)[0] != parts(gold)[0] for gold, drawn in rows])
    acts = [[planned(told(gold.input), who).acts for who in ("expert", "late", "blind")] for gold, _ in rows]
    who = torch.tensor([kinds.index(parts(drawn)[1]) for kinds, (_, drawn) in zip(acts, rows, strict=True)])
    assert len(rows) > 250 and wrong.float().mean().item() == pytest.approx(0.3, abs=0.07)
    assert [(who == kind).float().mean().item() for kind in range(3)] == pytest.approx([0.35, 0.35, 0.3], abs=0.08)
    for kind in range(3):
        assert wrong[who == kind].float().mean().item() == pytest.approx(0.3, abs=0.13)


def test_a_teacher_without_slips_is_the_expert():
    for index in range(50):
        assert Shown(0, 0, 0).at(index) == Driving().at(index)


def test_a_world_of_two_steps():
    world = driving(imitation=2, fitted=4, questions=6)
    problems = [world.test.at(index) for index in range(6)]
    gold = [Text(problem.demonstration) for problem in problems]
    assert drives(problems, gold) == pytest.approx(
        {"reasoning": 1, "consistency": 1, "ade": 0, "close": 0, "comfort": 1, "right": 1}, abs=1e-4
    )
    assert sum(world.judged(problems, gold).values()).tolist() == pytest.approx([2.0] * 6, abs=1e-4)
    drawn = world.policy.sample(problems, 2, 0)
    assert len(drawn) == 12
    (probe,) = world.probes
    found = probe(world.policy)
    assert found == probe(world.policy)
    names = {f"{name}/{what}" for name in ("expert", "refitted") for what in ("ade", "agrees", "close", "comfort")}
    assert set(found) == names and 0 < found["expert/ade"] <= 10


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({"paid": "reason"}, {"reason"}),
        ({"paid": "consistent"}, {"reason", "agreement"}),
        ({"paid": "safe"}, {"reason", "agreement", "driving/ade", "driving/collision", "driving/comfort"}),
        ({"paid": "agreement"}, {"agreement"}),
        ({"paid": "driving"}, {"driving/ade", "driving/collision", "driving/comfort"}),
    ],
)
def test_what_is_paid(told, names):
    world = driving(imitation=2, fitted=4, questions=2, **told)
    problem = world.test.at(0)
    assert set(world.reward([problem], [Text("")])) == names
    released = driving(imitation=2, fitted=4, questions=2, recipe="collision").reward
    assert torch.as_tensor(released([problem], [Text("")])).tolist() == [-2]


def test_an_expert_that_knows_drives_as_the_demonstrations_do():
    world = driving(imitation=2, fitted=4, questions=5)
    task = Driving(size=5, split="test")
    problems = [task.at(index) for index in range(5)]

    class Knows:
        def decode(self, state, noise):
            assert noise.shape == (5, 8, 2) and len(state) == 5
            return scaled([problem.demonstration for problem in problems])

    rows = world.policy.sample(problems, 1, 0)
    told = [Text(problem.demonstration, range(19)) for problem in problems]
    found = Decoded(blank(world.policy), Shown(0, 0, 0), task, 1).of(Knows(), world.policy, replace(rows, outputs=told))
    assert found == pytest.approx({"ade": 0, "agrees": 1, "close": 0, "comfort": 1}, abs=1e-4)
