"""How likely a group of rewards has something to teach, by numbers worked out elsewhere and by drawing."""

import pytest
import torch

from rlft.collect.sources import varied
from rlft.measure.informative import flat, flat_after, informative


@pytest.mark.parametrize(
    ("rate", "group", "expected"),
    [
        (0.01, 8, 0.077),
        (0.01, 64, 0.474),
        (0.05, 8, 0.337),
        (0.05, 64, 0.962),
        (0.5, 2, 0.5),
        (0.0, 64, 0.0),
        (1.0, 8, 0.0),
        (0.3, 1, 0.0),
    ],
)
def test_by_hand(rate, group, expected):
    assert informative(rate, group) == pytest.approx(expected, abs=5e-4)
    assert informative(1 - rate, group) == pytest.approx(informative(rate, group), abs=1e-12)


def test_it_is_the_share_of_groups_that_vary():
    """Of 20,000 groups drawn at rate 0.05: within 4 standard errors."""
    generator = torch.Generator().manual_seed(0)
    rewards = (torch.rand(20_000, 8, generator=generator) < 0.05).double()
    assert float(varied(rewards).double().mean()) == pytest.approx(informative(0.05, 8), abs=4 * 0.0034)


def test_at_equal_rows_small_groups_are_more_and_large_ones_likelier():
    """64 rows of p = .01: .62 of 8 groups on average, .47 of a single one."""
    assert 8 * informative(0.01, 8) == pytest.approx(0.618, abs=1e-3)
    assert informative(0.01, 64) == pytest.approx(0.474, abs=1e-3)


def test_groups_without_an_advantage():
    """p^G + (1 - p)^G: of guesses among four options 1/256 + 81/256; the rest is informative."""
    assert flat(0.25, 4) == pytest.approx(82 / 256, abs=1e-15)
    for rate in (0.0, 0.1, 0.5, 1.0):
        assert flat(rate, 8) + informative(rate, 8) == pytest.approx(1, abs=1e-12)


def test_after_so_many_draws():
    """None of five right: 6/14 + 1/3003 of groups of eight are flat. Without any draw, 2/(G + 1)."""
    assert flat_after(0, 5, 8) == pytest.approx(6 / 14 + 1 / 3003, abs=1e-12)
    assert flat_after(5, 5, 8) == flat_after(0, 5, 8) > flat_after(1, 5, 8) > flat_after(2, 5, 8)
    assert flat_after(0, 0, 8) == pytest.approx(2 / 9, abs=1e-12)
    # A posterior of very many draws is a point.
    assert flat_after(30_000, 100_000, 8) == pytest.approx(flat(0.3, 8), abs=1e-4)
