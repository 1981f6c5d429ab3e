"""A judge of pairs: the same in both orders by construction, a rule that is learned, a reward with a gradient."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.errors import UserError
from rlft.models.pair_judge import PairJudge, PairMLP
from rlft.rewards.learned.fitting import Fitting
from rlft.rewards.learned.pairwise import Pairs, fit_pairs, preferred
from rlft.types import Problem


class Weighted(nn.Module):
    """f(a, b, y) = 2a + b + y, so that f(a, b, y) - f(b, a, y) = a - b."""

    def forward(self, first, second, asked):
        return 2 * first[:, 0] + second[:, 0] + asked


def random_pictures(count, seed=0):
    return torch.randn(count, 2, 2, generator=torch.Generator().manual_seed(seed))


def test_both_orders_add_up_to_one_whatever_the_network_says():
    judge, a, b = PairJudge(PairMLP((2, 2), 3)), random_pictures(50), random_pictures(50, 1)
    asked = torch.arange(50) % 3
    assert torch.equal(judge(a, b, asked), -judge(b, a, asked)) and judge(a, b, asked).abs().max() > 0.01
    assert torch.equal(judge(a, a, asked), torch.zeros(50))
    assert_close(judge(a, b, asked).sigmoid() + judge(b, a, asked).sigmoid(), torch.ones(50), rtol=0, atol=2e-7)
    assert (judge(a, b, asked) - judge(a, b, 0 * asked)).abs().max() > 1e-4  # it hears what was asked
    network = Weighted()
    one, two = torch.tensor([[math.log(3)]]), torch.zeros(1, 1)
    assert float(PairJudge(network)(one, two, torch.tensor([5])).sigmoid()) == pytest.approx(0.75, abs=1e-6)


def brighter(count):
    """Of two pictures the one with the larger mean is better, where 0 is asked; where 1 is, the smaller."""
    a, b, asked = random_pictures(count, 2), random_pictures(count, 3), torch.arange(count) % 2
    first = (a.flatten(1).sum(1) > b.flatten(1).sum(1)) == (asked == 0)
    at = first[:, None, None]
    return Pairs(torch.where(at, a, b), torch.where(at, b, a), asked, torch.arange(count))


def test_a_rule_is_learned_and_numbers_are_of_what_was_held_out():
    judge, pairs = PairJudge(PairMLP((2, 2), 2, width=32)), brighter(1200)
    found = fit_pairs(judge, pairs, Fitting(epochs=15, lr=1e-2, batch=64))
    assert found.held_out and found.examples + found.calibrated + found.measured == 1200
    assert 80 < found.measured < 160 and found.accuracy > 0.93 and found.loss < 0.2
    assert float(judge.temperature) == pytest.approx(found.temperature)
    assert not any(weight.requires_grad for weight in judge.parameters())
    right = judge(pairs.better, pairs.worse, pairs.asked) > 0
    assert float(right.float().mean()) > 0.93
    untaught = fit_pairs(PairJudge(PairMLP((2, 2), 2)), pairs, Fitting(lr=1e-12, held_out=0.5))
    assert 0.35 < untaught.accuracy < 0.65


def test_groups_are_held_out_together_and_training_alone_is_augmented():
    pairs, seen = brighter(40), []

    def augment(pictures):
        seen.append(len(pictures))
        return pictures

    held = Pairs(pairs.better, pairs.worse, pairs.asked, torch.arange(40) // 20)
    found = fit_pairs(PairJudge(PairMLP((2, 2), 2)), held, Fitting(lr=1e-3, batch=8, held_out=0.0), augment)
    assert (found.examples, found.measured, found.held_out) == (40, 40, False) and sum(seen) == 80
    sizes = {fit_pairs(PairJudge(PairMLP((2, 2), 2)), held, Fitting(held_out=h)).examples for h in (0.1, 0.9, 0.3, 0.99)
             if h < 0.95}  # fmt: skip
    assert sizes <= {20, 40}
    with pytest.raises(UserError, match="leaves none of 40 pairs"):
        fit_pairs(PairJudge(PairMLP((2, 2), 2)), Pairs(*vars(held).values()), Fitting(held_out=0.999999))


def test_the_reward_is_against_a_real_picture_and_has_a_gradient():
    real = torch.zeros(2, 1)
    problems = [Problem(i, i, answer=real[i]) for i in range(2)]
    outputs = torch.tensor([[math.log(3)], [0.0]], requires_grad=True)
    earned = preferred(PairJudge(Weighted()))(problems, outputs)
    assert_close(earned, torch.tensor([0.75, 0.5]))
    earned.sum().backward()
    assert_close(outputs.grad, torch.tensor([[0.75 * 0.25], [0.25]]))
    other = preferred(PairJudge(Weighted()), over=lambda asked: torch.full((2, 1), math.log(3)))
    assert_close(other(problems, outputs), torch.tensor([0.5, 0.25]))
    with pytest.raises(UserError, match="compares with a problem's answer"):
        preferred(PairJudge(Weighted()))([Problem(0, 0)], outputs[:1])
    with pytest.raises(UserError, match="is told a class"):
        preferred(PairJudge(Weighted()))([Problem(0, "cat", answer=real[0])], outputs[:1])
