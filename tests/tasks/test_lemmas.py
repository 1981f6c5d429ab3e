"""Lemmas: depths, references, splits, what automatic tactics do with them."""

import random

import pytest

from rlft.errors import UserError
from rlft.tasks.derivations import Teacher, depth_of
from rlft.tasks.lemmas import Lemmas, alone, belongs, grown
from rlft.verifiers.goals import lemma, stated
from rlft.verifiers.tactics import checked


def test_a_lemma_has_the_depth_that_it_says():
    task = Lemmas(1, 4, "train", 24)
    for index in range(24):
        problem = task.at(index)
        statement, depth = problem.columns["statement"], problem.columns["depth"]
        assert depth == 1 + index % 4
        assert problem.input == f"{statement}\n"
        assert checked(statement, problem.answer).ok
        assert Teacher().proof(lemma(statement), depth - 1) is None
        assert depth_of(lemma(statement), 4) == (depth, problem.answer.strip().split("\n"))
    assert Lemmas(1, 4, "train").at(7) == task.at(7)
    with pytest.raises(IndexError, match="has 24 problems in 'train', none with index 24"):
        task.at(24)


def test_how_many_are_automatic():
    for share in (0.0, 1.0):
        task = Lemmas(2, 3, automatic=share)
        assert {alone(lemma(task.at(index).columns["statement"])) for index in range(12)} == {bool(share)}
    assert alone(lemma("h1 : p |- q -> p"))
    assert alone(lemma("h1 : x + 1 <= y |- q \\/ x <= y"))
    assert not alone(lemma("h1 : p, h2 : x + 1 <= y |- p /\\ x <= y"))


def test_splits_are_disjoint_whatever_things_are_called():
    draw = random.Random(0)
    found = [grown(draw, 2, 0.5) for _ in range(400)]
    counts = {split: sum(belongs(one, split) for one in found) for split in ("train", "validation", "test")}
    assert sum(counts.values()) == 400
    assert 200 < counts["train"] < 280
    assert 80 < counts["test"] < 160
    one = lemma("h1 : p -> x <= y, h2 : p |- x <= y \\/ q")
    other = lemma("h1 : s -> z <= x, h2 : s |- z <= x \\/ p")
    assert [belongs(one, split) for split in counts] == [belongs(other, split) for split in counts]
    assert all(belongs(lemma(Lemmas(1, 2, split).at(3).columns["statement"]), split) for split in counts)


def test_what_is_grown_has_a_proof():
    draw = random.Random(3)
    proved = [depth_of(grown(draw, 3, 0.5), 3) is not None for _ in range(60)]
    assert sum(proved) > 45
    assert len({stated(grown(draw, 3, 0.5)) for _ in range(60)}) > 55


def test_what_there_is_not():
    with pytest.raises(UserError, match="lemmas have the splits"):
        Lemmas(split="dev")
    with pytest.raises(UserError, match="1 <= shallowest <= deepest <= 6; got 3 and 2"):
        Lemmas(3, 2)
