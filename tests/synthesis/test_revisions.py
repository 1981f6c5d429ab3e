"""Preferences that revisions bear out: the rule, its sign, and how the noise of labels falls."""

import math
import random

import pytest

from rlft.errors import UserError
from rlft.synthesis.revisions import borne, kept_noise


def test_the_rule_and_its_sign():
    assert borne([0.2, 0.6], [0.1, 0.5]).out
    assert not borne([0.1, 0.5], [0.2, 0.6]).out  # the same turned round
    assert not borne([0.5, 0.3], [0.3, 0.5]).out  # a tie
    found = borne([1.0, None, math.nan], [0.5, 0.7])
    assert (found.chosen, found.rejected) == (1.0, 0.6) and found.out
    assert not borne([None], [0.5]).out and not borne([0.5], []).out


def test_noise_falls_with_revisions():
    """e (1 - Phi) over the kept; at n = 0 what it was. Phi(1) = 0.841344746 where sqrt(4) 0.5 / 1 = 1."""
    assert kept_noise(0.3, 0.5, 1.0, 0) == pytest.approx(0.3, abs=1e-12)
    phi = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    assert kept_noise(0.3, 0.5, 1.0, 4) == pytest.approx(0.3 * (1 - phi) / (0.3 * (1 - phi) + 0.7 * phi), abs=1e-9)
    told = [kept_noise(0.3, 0.5, 1.0, n) for n in (0, 1, 4, 16, 64)]
    assert told == sorted(told, reverse=True) and told[-1] < 1e-4
    assert kept_noise(0.3, -0.5, 1.0, 16) > 0.9  # a reviser who rewards what is worse
    assert kept_noise(0.0, 0.5, 1.0, 3) == 0
    with pytest.raises(UserError, match="deviation more than 0"):
        kept_noise(0.3, 0.5, 0.0, 4)


@pytest.mark.parametrize("revisions", [1, 8])
def test_as_drawn(revisions):
    """Pairs by lot, three in ten in the wrong order: the filter's noise is the formula's."""
    lots, kept, wrong = random.Random(0), 0, 0
    for _ in range(6000):
        turned = lots.random() < 0.3
        better, worse = ([mean + lots.gauss(0, 0.7) for _ in range(revisions)] for mean in (0.3, 0.0))
        if borne(worse, better).out if turned else borne(better, worse).out:
            kept, wrong = kept + 1, wrong + turned
    expected = kept_noise(0.3, 0.3, 0.7 * math.sqrt(2), revisions)
    assert wrong / kept == pytest.approx(expected, abs=3.5 * math.sqrt(expected * (1 - expected) / kept))
