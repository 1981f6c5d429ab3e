"""The least KL for a reward: closed forms, and every distribution that was tried lies above it."""

import math

import pytest
import torch

from rlft.measure.frontier import least_kl
from rlft.types import UserError

PRIOR, REWARDS = torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([0.1, 0.3, 0.6, 1.0])


def test_two_outcomes():
    """There p is determined: E r = p(1), and the KL is that of two coins."""
    expected = 0.7 * math.log(0.7 / 0.25) + 0.3 * math.log(0.3 / 0.75)
    assert least_kl(torch.tensor([3.0, 1.0]), torch.tensor([0.0, 1.0]), 0.7) == pytest.approx(expected, abs=1e-9)


def test_its_ends():
    assert least_kl(PRIOR, REWARDS, 0.04 + 0.09 + 0.12 + 0.1) == 0.0
    assert least_kl(PRIOR, REWARDS, 0.2) == 0.0
    assert least_kl(PRIOR, REWARDS, 1.0) == pytest.approx(math.log(10), abs=1e-6)
    with pytest.raises(UserError, match=r"earns 1\.1; the best earns 1"):
        least_kl(PRIOR, REWARDS, 1.1)


def test_nothing_lies_below():
    """Random distributions near the tilted one, at their own reward."""
    generator = torch.Generator().manual_seed(0)
    prior, gaps = PRIOR.double() / 10, []
    for _ in range(60):
        logits = prior.log() + 3 * REWARDS + torch.randn(4, generator=generator, dtype=torch.float64)
        p = logits.softmax(0)
        gaps.append(float((p * (p / prior).log()).sum()) - least_kl(PRIOR, REWARDS, float((p * REWARDS).sum())))
    assert min(gaps) >= -1e-12
    assert min(gaps) < 0.01 and max(gaps) > 0.3
    p = (prior.log() + 2.5 * REWARDS).softmax(0)
    found = least_kl(PRIOR, REWARDS, float((p * REWARDS).sum()))
    assert found == pytest.approx(float((p * (p / prior).log()).sum()), abs=1e-6)  # rewards are float32
