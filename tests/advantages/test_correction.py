"""Weights of rows that something else drew: numbers by hand, and unbiased where that can be summed up exactly."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import center, per_group
from rlft.advantages.correction import bounded, decoupled, importance_corrected, weights
from rlft.methods.grpo import grpo
from rlft.methods.on_policy_distillation import on_policy_distillation
from rlft.methods.prdp import prdp
from rlft.runtime.local import Local
from rlft.types import Rollouts, UserError
from tests.fakes import Cards, Table

# Of each decision. Row 0 has 3 and 1/2 (their product is 1.5), row 1 has 1/4 and 1/2 (1/8), row 2 one off the mask.
RATIOS = [[3.0, 0.5], [0.25, 0.5], [1.2, 7.0]]


def rows():
    mask = torch.tensor([[True, True], [True, True], [True, False]])
    drawn = torch.tensor([[-1.0, -2.0], [-0.5, -1.5], [-0.75, -9.0]]).double()
    problems = tuple(Cards().at(0) for _ in range(3))
    old = drawn + torch.tensor(RATIOS, dtype=torch.float64).log()
    made = Rollouts(problems, 3, [None] * 3, {}, mask, torch.where(mask, old, 0))
    return made.fill(logp_drawn=drawn, rewards=torch.tensor([4.0, 1.0, 1.0]).double())


@pytest.mark.parametrize(
    ("level", "most", "beyond", "expected"),
    [
        ("token", 2.0, "truncate", [[2.0, 0.5], [0.25, 0.5], [1.2, 1.0]]),
        ("token", 2.1, "mask", [[0.0, 0.5], [0.0, 0.5], [1.2, 1.0]]),
        ("row", 1.4, "truncate", [[1.4, 1.4], [0.125, 0.125], [1.2, 1.2]]),
        ("row", 1.6, "mask", [[1.5, 1.5], [0.0, 0.0], [1.2, 1.2]]),
        ("token", math.inf, "truncate", [[3.0, 0.5], [0.25, 0.5], [1.2, 1.0]]),
    ],
)
def test_weights_by_hand(level, most, beyond, expected):
    """Rewards 4, 1, 1: advantages 2, -1, -1, times these."""
    found = importance_corrected(per_group(center), most, level, beyond)(rows(), Local())
    expected = torch.tensor(expected, dtype=torch.float64)
    assert_close(found["weight"], expected, atol=1e-12, rtol=0)
    assert_close(found["advantages"], torch.tensor([[2.0], [-1.0], [-1.0]]).double() * expected, atol=1e-12, rtol=0)


def test_a_product_beyond_all_numbers_is_bounded_too():
    far = torch.tensor([[800.0, 0.0]]).double()
    assert bounded(far.exp(), 2.0).tolist() == [[2.0, 1.0]]
    assert bounded(far.exp(), 2.0, "mask").tolist() == [[0.0, 1.0]]


def test_without_who_drew_them_it_is_the_credit():
    own = Rollouts(**{**vars(rows()), "filled": {"rewards": rows().rewards}})
    assert torch.equal(importance_corrected(per_group(center))(own, Local()), per_group(center)(own, Local()))


def test_a_bound_below_one_is_refused():
    with pytest.raises(UserError, match=r"bound of a weight is at least 1, .* got 0.9"):
        importance_corrected(per_group(center), 0.9)


def test_weights_of_whole_rows_are_unbiased_and_of_decisions_are_not():
    """All 9 rows of two decisions of three choices, each as often as the old weights draw it: the mean of
    w A grad log pi is the gradient of the mean reward under the new weights, exactly."""
    old, new = (Table(inputs=1, decisions=2, choices=3, stop=-1, seed=seed) for seed in (1, 2))
    problem, every = Cards(inputs=1).at(0), torch.tensor(list(itertools.product(range(3), repeat=2)))
    made = new.rows([problem], 9, torch.zeros(9, dtype=torch.long), every)
    reward = torch.tensor([0.3, 1.0, -2.0, 0.5, 0.7, 0.0, 1.5, -1.0, 0.25]).double()
    drawn = old.log_prob(made).detach()
    share = drawn.sum(1).exp()
    assert_close(share.sum(), torch.tensor(1.0).double())
    (wanted,) = torch.autograd.grad((new.log_prob(made).sum(1).exp() * reward).sum(), new.logits)
    off = {}
    for level in ("row", "token"):
        weight = weights(made.fill(logp_drawn=drawn), level)
        (found,) = torch.autograd.grad(
            (share[:, None] * weight * reward[:, None] * new.log_prob(made)).sum(), new.logits
        )
        off[level] = float((found - wanted).abs().max())
    assert off["row"] < 1e-12 and off["token"] > 1e-2


def test_the_method_is_itself_but_for_its_credit():
    method = decoupled(grpo(beta=0.04, clip=0.3), "row", 3.0, "mask")
    assert method.drawn and not grpo().drawn
    assert (method.name, method.settings["clip"], method.reference) == ("grpo", 0.3, True)
    assert method.updates[0].name == "policy"


@pytest.mark.parametrize("method", [prdp(), on_policy_distillation()])
def test_a_loss_that_weighs_no_rows_is_refused(method):
    with pytest.raises(UserError, match=rf"method {method.name} does not weigh rows .* --staleness-correction none"):
        decoupled(method)
