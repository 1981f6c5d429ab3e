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


def test_parts_of_the_reward_are_told_and_their_pass_at_k():
    """Of a sum nothing passes, but of a part that is 0 or its weight; over the problems that it scores."""

    def parts(problems, outputs):
        right = [None if p.index == 2 else 0.5 * (p.index == 0) for p in problems]
        return {**({"right": right} if problems[0].index < 3 else {}), "length": [(1 + p.index) / 9 for p in problems]}

    for batch in (1, 3, 4):
        numbers = evaluate(Table(), Cards(size=3), parts, samples=2, batch=batch).numbers()
        assert (numbers["reward/right"], numbers["pass@1/right"], numbers["pass@2/right"]) == (0.25, 0.5, 0.5)
        assert numbers["reward"] == pytest.approx(0.5 / 3 + numbers["reward/length"])
        assert "pass@1/length" not in numbers and "pass@1" not in numbers
    found = evaluate(Table(), Cards(size=4), parts, samples=1, batch=1)  # a part that the last batch does not have
    assert found.parts["right"][:, 0].isnan().tolist() == [False, False, True, True]


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
