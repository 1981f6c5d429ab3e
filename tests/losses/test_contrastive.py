"""Both contrasts by hand, their caps and floors, and who takes part."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from rlft.losses.contrastive import Contrast, toward_annotated, toward_missing

# unit vectors of 0, 60, 90 and 180 degrees, of any length
AT = {0: [2.0, 0.0], 60: [0.5, math.sqrt(3) / 2], 90: [0.0, 3.0], 180: [-0.1, 0.0]}


def at(*degrees):
    return torch.tensor([AT[one] for one in degrees], dtype=torch.float64)


def test_right_chains_by_hand():
    """cos 60 is 1/2; candidates at 60, 90 and 180 from the first anchor, at 30 (from 90), 0 and 90 from the second."""
    loss = toward_annotated(at(0, 90), at(60, 90), at(60, 90, 180), temperature=0.5, most=0.9)
    first = math.log(math.exp(1) + 1 + math.exp(-2)) - 1
    second = math.log(math.exp(math.sqrt(3)) + math.exp(2) + 1) - 1.8
    assert_close(loss, torch.tensor([first, second], dtype=torch.float64))


def test_all_alike_it_is_the_log_of_how_many():
    same = at(90, 90, 90, 90)
    assert toward_annotated(same, same, same, 0.2, most=1.0).tolist() == pytest.approx([math.log(4)] * 4)


def test_beyond_the_cap_the_numerator_has_no_gradient_and_the_denominator_has():
    annotated, found = at(0), torch.tensor([[1.0, 0.1]], dtype=torch.float64, requires_grad=True)
    others = at(90)

    def gradient(most):
        loss = toward_annotated(annotated, found, torch.cat([found, others]), 0.2, most)
        return torch.autograd.grad(loss.sum(), found)[0]

    def of_denominator():
        cosine = torch.nn.functional.cosine_similarity(annotated, found)
        (total,) = torch.autograd.grad((torch.cat([cosine / 0.2, torch.zeros(1)]).logsumexp(0)), found)
        return total

    assert_close(gradient(0.9), of_denominator())
    assert (gradient(1.0) - of_denominator()).norm() > 0.1


def test_wrong_chains_by_hand():
    """As published the pair is not among the candidates, and the anchor of the denominator is what is common."""
    missing, common, wrong = at(0), at(60), at(90, 180)
    published = toward_missing(missing, common, wrong, 0.5)
    by_hand = math.log(math.exp(2) + math.exp(math.sqrt(3)) + math.exp(-1)) - 1
    assert float(published) == pytest.approx(by_hand)
    repaired = toward_missing(missing, common, wrong, 0.5, "repaired")
    assert float(repaired) == pytest.approx(math.log(math.exp(1) + 1 + math.exp(-2)) - 1)


def test_the_floor_of_the_published_form():
    """A perfect pair with the worst candidates: above 0, and still pulled as hard; repaired, the pull fades."""
    common = torch.tensor([[1.0, 1e-3]], dtype=torch.float64, requires_grad=True)
    found = {}
    for form in ("published", "repaired"):
        loss = toward_missing(at(0), common, at(180, 180), 0.2, form)
        found[form] = float(loss.detach()), torch.autograd.grad(loss.sum(), common)[0].norm()
    assert found["published"][0] == pytest.approx(math.log(1 + 2 * math.exp(-10)), abs=1e-4)
    assert found["published"][1] > 100 * found["repaired"][1]


def test_who_takes_part():
    """Rows: right; right without a chain to compare; wrong; wrong with nothing in common."""
    chains = SimpleNamespace(
        whole=at(60, 0, 90, 180),
        common=at(90, 0, 60, 0),
        wrong=at(180, 0, 90, 0),
        annotated=at(0, 0, 0, 0),
        missing=at(180, 0, 0, 0),
        right=torch.tensor([True, True, False, False]),
        known=torch.tensor([True, False, True, True]),
        apart=torch.tensor([True, False, True, False]),
    )
    right = toward_annotated(at(0), at(60), at(60, 90, 180), 0.2, 0.9)
    wrong = toward_missing(at(0), at(60), at(180, 90), 0.2)
    assert_close(Contrast("right")(chains), right[0])
    assert_close(Contrast("wrong")(chains), wrong[0])
    assert_close(Contrast()(chains), (right[0] + wrong[0]) / 2)
    chains.right = ~chains.right
    chains.known = chains.apart = torch.zeros(4, dtype=torch.bool)
    assert float(Contrast()(chains)) == 0
