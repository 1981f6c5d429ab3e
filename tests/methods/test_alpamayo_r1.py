"""The printed loss by hand, and what it degenerates into."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import uniform
from rlft.losses import policy_gradient
from rlft.losses.surrogate import sample_sum, surrogate
from rlft.methods.alpamayo_r1 import alpamayo_r1
from rlft.methods.raft import raft
from rlft.runtime.local import Local
from rlft.types import Method, Problem, Update, UserError
from tests.fakes import Table
from tests.methods.test_methods_degenerate import trained


def test_the_loss_by_hand():
    """-E[softmax(beta A)_i (log pi(row i) - lambda KL_i)]: rewards 0 and ln 3, beta 1, weights 1/4 and 3/4."""
    table = Table(inputs=1, decisions=2, choices=3, stop=9)
    rows = table.sample([Problem(0, 0)], 2, seed=1)
    ref = rows.logp_old - 0.5
    rows = rows.fill(rewards=torch.tensor([0.0, math.log(3)]).double(), position=torch.arange(2), logp_ref=ref)
    for weight in (0.0, 0.3):
        method = alpamayo_r1(temper=1.0, beta=weight)
        weights = method.advantage(rows, Local())[:, None].expand(2, 2)
        found = method.updates[0].loss(table, rows.fill(advantages=weights))
        logp = table.log_prob(rows).sum(1)
        kl = 2 * (math.exp(-0.5) - 1 + 0.5)  # two decisions, k3 at log ratio -1/2
        by_hand = -(0.25 * (logp[0] - weight * kl) + 0.75 * (logp[1] - weight * kl))
        assert_close(found.sum / found.weight, by_hand)
        assert method.reference == (weight > 0)


def other(row, problem):
    """Rewards without ties."""
    return sum((place + 1) * (choice + problem.index / 7) for place, choice in enumerate(row)) / 9


def untied(problems, outputs):
    return torch.tensor([other(row, problem) for problem, row in zip(problems, outputs, strict=True)]).double()


def test_at_temper_0_rows_are_imitated_as_they_come():
    plain = Method(uniform, (Update(surrogate(lambda logp, rows: policy_gradient(logp, rows.advantages), sample_sum)),))
    mine, _ = trained(alpamayo_r1(temper=0.0))
    assert_close(mine, trained(plain)[0], atol=1e-12, rtol=0)
    assert (trained(alpamayo_r1(temper=1.0))[0] - mine).abs().max() > 1e-3


def test_at_a_large_temper_it_is_raft_where_rows_have_one_decision():
    """A table draws few different rows of one decision, so the best is often drawn twice; equal rows count alike.

    Up to rounding alone: where no row pulls at a logit Adam makes of a gradient of 1e-17 a step of 1e-9.
    """
    one = {"decisions": 1, "reward": untied}
    assert_close(trained(alpamayo_r1(temper=1e9), **one)[0], trained(raft(), **one)[0], atol=1e-8, rtol=0)
    assert (trained(alpamayo_r1(temper=1.0), **one)[0] - trained(raft(), **one)[0]).abs().max() > 1e-3


def test_worse_rows_may_not_count_more():
    with pytest.raises(UserError, match="temper=-1"):
        alpamayo_r1(temper=-1.0)
