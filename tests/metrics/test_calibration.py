"""Calibration, on numbers worked out by hand."""

import math

import pytest
import torch

from rlft.metrics.calibration import expected_calibration_error, temperature


def of_confidence(*confidences):
    """Logits of two labels of which the first has this probability."""
    return torch.tensor([[math.log(p / (1 - p)), 0.0] for p in confidences])


def test_the_error_is_the_weighted_gap_of_bins():
    """0.62 and 0.66 share a bin: accuracy 1/2, confidence 0.64; 0.95 has one to itself and is right: 0.05."""
    logits = of_confidence(0.62, 0.66, 0.95)
    found = expected_calibration_error(logits, torch.tensor([0, 1, 0]))
    assert found == pytest.approx(2 / 3 * 0.14 + 1 / 3 * 0.05, abs=1e-6)
    # with two bins (0, 1/2] and (1/2, 1] all are in one: |2/3 - 0.7433|
    assert expected_calibration_error(logits, torch.tensor([0, 1, 0]), bins=2) == pytest.approx(0.0766667, abs=1e-6)


def test_the_likeliest_label_counts():
    """Label 1 said with 0.9."""
    logits = of_confidence(0.1, 0.1)
    assert expected_calibration_error(logits, torch.tensor([1, 1])) == pytest.approx(0.1, abs=1e-6)
    assert expected_calibration_error(logits, torch.tensor([0, 0])) == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize(("right", "of"), [(3, 4), (9, 10), (11, 20)])
def test_temperature_makes_one_confidence_what_it_is_worth(right, of):
    """All say sigmoid(2), and `right` of `of` are: of four three, sigmoid(2/T) is (3 · 5/6 + 1/6) / 4 = 2/3."""
    logits = torch.tensor([[2.0, 0.0]] * of)
    labels = torch.tensor([0] * right + [1] * (of - right))
    found = temperature(logits, labels)
    share = (right * (of + 1) + (of - right)) / (of + 2) / of
    assert found == pytest.approx(2 / math.log(share / (1 - share)), rel=1e-4)


def test_temperature_mends_what_is_too_sure_of_itself():
    """Of a thousand 700 are right, and all say 0.98: the error falls from 0.28 to what is left of smoothing."""
    logits, labels = of_confidence(*[0.98] * 1000), torch.tensor([0] * 700 + [1] * 300)
    assert expected_calibration_error(logits, labels) == pytest.approx(0.28, abs=1e-4)
    assert expected_calibration_error(logits / temperature(logits, labels), labels) < 1e-3


def test_of_three_labels_the_others_share_what_is_left():
    """One example, its label with 2/3 and the others with 1/6 each: exp(3/T) = 4."""
    assert temperature(torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([0])) == pytest.approx(3 / math.log(4), rel=1e-4)


def test_temperature_is_bounded():
    logits = torch.tensor([[0.001, 0.0]] * 3)
    assert temperature(logits, torch.tensor([0, 0, 0])) == pytest.approx(1 / 100, rel=1e-6)
    assert temperature(logits, torch.tensor([1, 1, 1])) == pytest.approx(100, rel=1e-6)
