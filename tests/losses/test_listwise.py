"""Ranking losses by hand: numbers, gradients, rows nobody ranked."""

import math

import torch
from torch.testing import assert_close

from rlft.losses.listwise import best, mean_log_prob, pro, rrhf

nan = math.nan


def test_a_score_is_the_mean_log_prob_of_a_rows_own_decisions():
    logp = torch.tensor([[-1.0, -2.0, -6.0], [-3.0, -5.0, math.inf], [-1.0, -1.0, -1.0]])
    mask = torch.tensor([[True, True, True], [True, True, False], [False] * 3])
    assert mean_log_prob(logp, mask).tolist() == [-3, -4, 0]


def test_rrhf_adds_up_the_pairs_in_the_wrong_order():
    scores = torch.tensor([[-1.0, -2.0, -4.0], [-3.0, -2.0, -1.0], [-1.0, -2.0, -4.0], [-1.0, -3.0, -2.0]])
    ranks = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0.5, 0.5, 1.0], [nan, 1.0, 0.0]])
    # right; all three wrong: 1 + 2 + 1; two wrong ones, 3 + 2, and a tie; one pair that is ranked: -2 + 3
    assert rrhf(scores, ranks).tolist() == [0, 4, 5, 1]


def test_rrhf_has_a_gradient_on_the_pairs_in_the_wrong_order_alone():
    scores = torch.tensor([[-1.0, -5.0, -2.0, -9.0]], requires_grad=True)
    rrhf(scores, torch.tensor([[4.0, 3.0, 2.0, nan]])).sum().backward()
    assert scores.grad is not None and scores.grad.tolist() == [[0, -1, 1, 0]]


def test_pro_by_hand():
    scores = torch.tensor([[0.0, math.log(2), math.log(3)]], dtype=torch.float64)
    ranks = torch.tensor([[2.0, 3.0, 1.0]], dtype=torch.float64)
    # the second first: 2/6, then the first: 1/4
    assert_close(pro(scores, ranks), torch.tensor([-math.log(2 / 6 * 1 / 4)], dtype=torch.float64), atol=1e-12, rtol=0)
    equal = pro(torch.zeros(1, 4).double(), torch.tensor([[1.0, 2.0, 3.0, 4.0]]).double())
    assert_close(equal, torch.tensor([math.log(24)], dtype=torch.float64), atol=1e-12, rtol=0)


def test_pro_leaves_out_whom_nobody_ranked_and_of_two_rows_it_is_the_logistic_loss():
    scores = torch.tensor([[1.0, 7.0, 3.0], [1.0, 2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    losses = pro(scores, torch.tensor([[1.0, nan, 0.0], [nan, nan, nan]], dtype=torch.float64))
    assert_close(
        losses.detach(), torch.tensor([math.log1p(math.exp(2.0)), 0.0], dtype=torch.float64), atol=1e-12, rtol=0
    )
    losses.sum().backward()
    grad, sigmoid = scores.grad, 1 / (1 + math.exp(-2.0))
    assert_close(grad, torch.tensor([[-sigmoid, 0.0, sigmoid], [0.0] * 3], dtype=torch.float64), atol=1e-12, rtol=0)


def test_the_best_is_the_first_of_the_highest_rank():
    scores = torch.tensor([[-1.0, -2.0, -3.0, -4.0], [-5.0, -6.0, -7.0, -8.0]])
    assert best(scores, torch.tensor([[nan, 1.0, 2.0, 2.0], [nan] * 4])).tolist() == [-3, -5]
