"""Which weights the named mixes have, what they degenerate into, and what is refused."""

import math

import pytest
import torch
from torch import nn

from rlft.policies.mix import Weighted, contrasted, emulated, frozen_view, guided, merged, traded_off
from rlft.types import UserError
from tests.fakes import Table

LARGE, TUNED, SMALL, OTHER = (Table() for _ in range(4))


def weights(terms):
    policies, values = merged(terms)
    names = {id(LARGE): "large", id(TUNED): "tuned", id(SMALL): "small", id(OTHER): "other"}
    return {names[id(policy)]: pytest.approx(value) for policy, value in zip(policies, values, strict=True)}


def test_the_named_weights():
    assert weights(emulated(LARGE, TUNED, SMALL)) == {"tuned": 1, "large": 1, "small": -1}
    assert weights(emulated(LARGE, TUNED, SMALL, 1.5)) == {"tuned": 1.5, "large": 1, "small": -1.5}
    assert weights(guided(SMALL, TUNED, 1.6)) == {"tuned": 1.6, "small": -0.6}
    assert weights(contrasted(LARGE, SMALL, 0.5)) == {"large": 1.5, "small": -0.5}
    assert weights(traded_off(LARGE, [(TUNED, 0.3), (OTHER, 0.7)], SMALL)) == {
        "tuned": 0.3,
        "other": 0.7,
        "large": 1,
        "small": -1,
    }


def test_they_degenerate_into_single_models():
    """And into each other; a model of weight 0 is gone, so it is not asked."""
    assert weights(emulated(SMALL, TUNED, SMALL)) == {"tuned": 1}
    assert weights(emulated(LARGE, TUNED, SMALL, 0.0)) == {"large": 1}
    assert weights(guided(SMALL, TUNED, 1.0)) == {"tuned": 1}
    assert weights(guided(SMALL, TUNED, 0.0)) == {"small": 1}
    assert weights(contrasted(LARGE, SMALL, 0.0)) == {"large": 1}
    for share, left in ((1.0, {"tuned": 1}), (0.0, {"other": 1})):
        assert weights(traded_off(SMALL, [(TUNED, share), (OTHER, 1 - share)])) == left
    assert weights(traded_off(LARGE, [(TUNED, 1.0)], SMALL)) == weights(emulated(LARGE, TUNED, SMALL))
    assert weights(guided(SMALL, TUNED, 1.3)) == weights(emulated(SMALL, TUNED, SMALL, 1.3))


def test_nothing_to_mix():
    with pytest.raises(UserError, match="weight is not 0"):
        merged([(LARGE, 1.0), (LARGE, -1.0)])
    with pytest.raises(UserError, match="finite"):
        merged([(LARGE, math.nan)])


def test_weighted_sum():
    found = Weighted((0.5, -2.0, 3.0))([torch.tensor([2.0, 4.0]), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 5.0])])
    assert found.tolist() == [1 - 2, 2 + 15]


def test_a_frozen_view_is_the_same_weights_without_gradient():
    model = nn.BatchNorm1d(3)
    view = frozen_view(model)
    with torch.no_grad():
        model.weight.add_(2.0)
    model.running_mean.add_(1.0)
    assert view.weight.tolist() == [3.0, 3.0, 3.0]
    assert view.running_mean.tolist() == [1.0, 1.0, 1.0]
    assert not any(p.requires_grad for p in view.parameters())
    assert all(p.requires_grad for p in model.parameters())
