"""Scales of hard rows: the sigmoids by hand, what they degenerate into, and which sums they keep."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import per_group, zscore
from rlft.advantages.hardness import data_scale, model_scale, scaled_by_hardness
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts

nan = float("nan")


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_what_is_unlike_the_demonstration_weighs_more():
    """Of 0, 1, 0.5 and NaN the mean is 0.5."""
    found = data_scale(double([[0.0, 1.0], [0.5, nan]]))
    assert_close(found, double([[0.5 / sigmoid(0.5), sigmoid(1) / sigmoid(0.5)], [1.0, 1.0]]))
    # by groups: means 0.5 and 0.5
    assert_close(data_scale(double([[0.0, 1.0], [0.5, nan]]), "group"), torch.ones(2, 2).double())
    by_group = data_scale(double([[0.0, 0.2], [0.6, 1.0]]), "group")
    assert_close(by_group[0, 0].item(), sigmoid(0.1) / sigmoid(0.45))
    assert_close(by_group[1, 1].item(), sigmoid(0.8) / sigmoid(0.45))
    assert_close(data_scale(double([[0.25, 0.75]]), steep=4.0)[0, 1].item(), sigmoid(3) / sigmoid(2))


def test_its_bounds():
    """sigmoid(1) / sigmoid(0) = 1.4621: the largest scale where nearly every row is the demonstration itself."""
    found = data_scale(double([[1.0] + [0.0] * 99999]))
    assert found[0, 0].item() == pytest.approx(2 * sigmoid(1), rel=1e-4) and 2 * sigmoid(1) == pytest.approx(
        1.46212, rel=1e-5
    )


def test_gaps_that_are_kept():
    """Gaps 0, 1 and 5: the mean is 2, the squared deviations 4, 1 and 9."""
    gaps = double([[0.0, 1.0, 5.0], [2.0, 2.0, 2.0]])
    assert_close(model_scale(gaps, tau=4.0)[0], torch.full((3,), sigmoid(0.5) / sigmoid(2.0)).double())
    assert_close(model_scale(gaps, tau=4.0)[1], torch.ones(3).double())
    assert_close(model_scale(gaps, tau=9.0), torch.ones(2, 3).double())  # no outliers
    assert_close(model_scale(gaps, tau=0.5)[0], torch.ones(3).double())  # none is kept: all are
    # against the batch's mean, 2
    against = model_scale(double([[0.0, nan], [3.0, 3.0]]), 1.0, "batch")
    assert_close(against, double([[0.5 / sigmoid(2.0)] * 2, [sigmoid(3.0) / sigmoid(2.0)] * 2]))
    assert_close(model_scale(double([[nan, nan], [3.0, 3.0]]), 1.0)[0], torch.ones(2).double())


def rollouts(hardness, gaps, rewards):
    count, group = len(rewards), 2
    problems = tuple(Problem(row // group, "") for row in range(count))
    mask = torch.ones(count, 3, dtype=torch.bool)
    made = Rollouts(problems, group, list(range(count)), {}, mask, torch.zeros(count, 3).double())
    columns = {"position": torch.arange(count), "rewards": double(rewards)}
    return made.fill(**columns, hardness=double(hardness), gap=double(gaps))


def advantages(by, rows, **told):
    credit = scaled_by_hardness(per_group(zscore), by, tau=1.0, **told)
    return rows.wide(credit(rows, Local()))["advantages"][:, 0]


def test_advantages_are_multiplied():
    rows = rollouts([0.0, 0.5, 0.5, 1.0], [0.0, 1.0, 4.0, 3.0], [1.0, 0.0, 0.0, 1.0])
    plain = advantages("none", rows)
    half = math.sqrt(0.5)
    assert_close(plain, double([half, -half, -half, half]))
    data = double([sigmoid(0), sigmoid(0.5), sigmoid(0.5), sigmoid(1)]) / sigmoid(0.5)
    model = double([sigmoid(0.5)] * 2 + [sigmoid(3.5)] * 2) / sigmoid(2.0)
    assert_close(advantages("data", rows), plain * data)
    assert_close(advantages("model", rows, against="batch"), plain * model)
    assert_close(advantages("both", rows, against="batch"), plain * data * model)
    # scales of groups keep the sum of a group's advantages at 0, those of rows do not
    assert_close(advantages("both", rows, over="group", against="batch").reshape(2, 2).sum(1), torch.zeros(2).double())
    assert advantages("data", rows).reshape(2, 2).sum(1).abs().min() > 0.05


def test_where_all_is_as_hard_it_is_the_credit_itself():
    rows = rollouts([0.3] * 4, [2.0] * 4, [1.0, 0.0, 0.0, 1.0])
    assert advantages("both", rows).tolist() == advantages("none", rows).tolist()
