"""Evaluation: pass@k, the interval, which problems and which noise."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.training.evaluate import bootstrap, evaluate, pass_at
from tests.fakes import Cards, Table, share


def test_pass_at_k():
    # one problem with 1 of 4 solved, one with 3 of 4: pass@2 = 1 - C(3,2)/C(4,2) = 1/2 and 1 - 0 = 1
    rewards = torch.tensor([[1.0, 0, 0, 0], [1.0, 1, 0, 1]])
    assert pass_at(rewards) == {1: 0.5, 2: 0.75, 4: 1.0}
    assert pass_at(torch.tensor([[0.0, 0.5]])) == {}
    assert pass_at(torch.tensor([[0.0, math.nan]])) == {}


def test_the_interval_is_over_problems():
    rewards = torch.tensor([[0.0, 0.0], [1.0, 1.0]] * 50)
    low, high = bootstrap(rewards)
    # 100 problems of deviation .5: the mean's is .05, and 95 % of a normal lie within 1.96
    assert_close([low, high], [0.5 - 0.098, 0.5 + 0.098], atol=0.015, rtol=0)
    assert bootstrap(rewards) == (low, high)
    assert math.isnan(bootstrap(torch.full((3, 2), math.nan))[0])


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_batches_change_nothing(batch):
    found = evaluate(Table(), Cards(), share, problems=10, samples=3, batch=batch)
    whole = evaluate(Table(), Cards(), share, problems=10, samples=3)
    assert_close(found.rewards, whole.rewards)
    assert found.rewards.shape == (10, 3)
    assert len(found.rows) == 30
    assert found.rewards.std() > 0


def test_numbers_and_measures():
    def width(problems, outputs):
        return {"width": sum(map(len, outputs)) / len(outputs)}

    def sometimes(problems, outputs):
        return [None if problem.index == 1 else 1.0 for problem in problems]

    seen = []
    found = evaluate(
        Table(), Cards(size=4), sometimes, samples=2, measures=[width], batch=3, progress=lambda *p: seen.append(p)
    )
    numbers = found.numbers()
    assert (numbers["reward"], numbers["problems"], numbers["samples"], numbers["unscored"]) == (1.0, 4, 2, 2)
    assert numbers["width"] == sum(len(o) for _, o, _ in found.rows) / 8
    assert seen == [(3, 4), (4, 4)]
