"""What annotators leave, what the classifier is shown, and what is measured of answers."""

import pytest
import torch

from rlft.tasks.medical import Medical, hard_left, said
from rlft.types import Text
from rlft.worlds.simplified import PAIRS, Pairs, annotated, counts, formula, said_again, simplified


def test_annotators_leave_half_of_what_is_hard():
    problems = [Medical().at(index) for index in range(300)]
    before = sum(hard_left(p.columns["meaning"], p.columns["source"]) for p in problems)
    after = sum(hard_left(p.columns["meaning"], annotated(p).answer) for p in problems)
    assert after / before == pytest.approx(0.5, abs=0.04)
    # nothing becomes hard that was plain
    assert all(
        hard_left(p.columns["meaning"], annotated(p).answer) <= hard_left(p.columns["meaning"], p.input)
        for p in problems
    )


def test_pairs_come_again_and_are_not_those_of_training():
    assert Pairs().at(3).answer == Pairs().at(3 + PAIRS).answer
    trained = {Medical().at(index).input for index in range(2000)}
    assert not trained & {Pairs().at(index).input for index in range(PAIRS)}


def test_said_again_says_the_same():
    for draw in range(20):
        problem = said_again(draw)
        made = problem.columns["meaning"]
        assert said(made, problem.input) == said(made, problem.answer) == 1


def test_the_formula_is_the_mean_of_both():
    problem = Medical().at(1)
    alike = float(counts([problem.columns["source"]]).norm())
    assert alike > 1
    # the source is as like itself as can be, and hard
    assert float(formula()([problem], [problem.columns["source"]])[0]) >= 0.5
    assert float(formula()([problem], [problem.answer])[0]) > float(
        formula()([problem], [problem.columns["source"]])[0]
    )


def test_a_world_of_two_steps():
    world = simplified(imitation=2, tuning=1, epochs=1, held_out=4, content=0.5)
    problems = [world.test.at(index) for index in range(4)]
    answers = [Text(str(problem.answer)) for problem in problems]
    parts = world.reward(problems, answers)
    assert parts["content"].tolist() == [0.5] * 4
    found = world.measures[0](problems, answers)
    assert found["facts"] == found["told"] == found["corpus"] == 1 and found["hard"] == 0
    assert torch.as_tensor(world.judged(problems, answers)).tolist() == [1] * 4
    half = world.measures[0](problems, [Text(a.split(" .")[0]) for a in answers])
    assert half["facts"] == pytest.approx(0.75) and half["told"] < 0.6
