"""Linear probes: everything, nothing, a part, by numbers that are known."""

import torch

from rlft.measure.probes import linear_r2


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_all_nothing_and_a_part():
    x, other = drawn(4000, 3), drawn(4000, 3, seed=1)
    weights = drawn(3, 2, seed=2)
    y = x @ weights + 5.0
    assert linear_r2(x[:2000], y[:2000], x[2000:], y[2000:], ridge=0.0) > 1 - 1e-12
    assert abs(linear_r2(other[:2000], y[:2000], x[2000:], y[2000:])) < 0.02
    # a feature with noise of the same variance explains half
    noisy = x[:, :1] + drawn(4000, 1, seed=3)
    assert abs(linear_r2(noisy[:2000], x[:2000, :1], noisy[2000:], x[2000:, :1], ridge=0.0) - 0.5) < 0.04


def test_the_ridge_shrinks_by_a_known_share():
    """Of a standardised feature that is the target, the slope is 1 / (1 + ridge): R² = 1 - (ridge / (1 + ridge))²."""
    x = drawn(5000, 1)
    assert abs(linear_r2(x, x, x, x, ridge=0.5) - (1 - (0.5 / 1.5) ** 2)) < 1e-3


def test_what_does_not_vary_is_left_out():
    x = drawn(100, 2)
    y = torch.cat([x[:, :1], torch.ones(100, 1, dtype=torch.float64)], dim=1)
    assert linear_r2(x, y, x, y, ridge=0.0) > 1 - 1e-12
    assert torch.tensor(linear_r2(x, y[:, 1:], x, y[:, 1:])).isnan()
