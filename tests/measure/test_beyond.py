"""Expansion, shrinkage and what chance expands, by hand, by enumeration and by simulation."""

import math

import numpy as np
import pytest

from rlft.errors import UserError
from rlft.measure.beyond import boundary, by_chance, defeated, mean_of, pass_at, wilson


def test_chance_against_the_integral_and_a_simulation():
    # The mean of 1 - (1 - p)^k with the weight (1 - p)^n, by the midpoint rule.
    p = (np.arange(200_000) + 0.5) / 200_000
    for n, k in ((0, 1), (3, 2), (64, 64), (1024, 64)):
        weight = (1 - p) ** n
        assert by_chance(n, k) == pytest.approx(float((weight * (1 - (1 - p) ** k)).sum() / weight.sum()), rel=1e-3)
    assert by_chance(64, 64) == pytest.approx(64 / 129)
    draw = np.random.default_rng(0)
    chances = draw.random(400_000)
    missed = chances[draw.binomial(8, chances) == 0]
    again = float((draw.binomial(8, missed) > 0).mean())
    assert again == pytest.approx(by_chance(8, 8), abs=0.01) and by_chance(8, 8) == pytest.approx(8 / 17)
    with pytest.raises(UserError):
        by_chance(-1, 4)


def test_sets_and_their_rates():
    #        never, lost, kept less, kept the same, kept more, expanded, expanded
    base = [0, 3, 4, 2, 1, 0, 0]
    tuned = [0, 0, 2, 2, 5, 1, 8]
    found = boundary(base, tuned)
    assert (found.never, found.lost, found.kept, found.expanded) == ((0,), (1,), (2, 3, 4), (5, 6))
    assert found.consolidated == (4,) and found.size == 7
    assert found.expansion.value == pytest.approx(2 / 3) and found.expansion.of == 3
    assert found.shrinkage.value == pytest.approx(1 / 4) and found.preservation.value == pytest.approx(3 / 4)
    assert found.consolidation.value == pytest.approx(1 / 3)
    # The two identities, with all of the draws.
    for counts, own in ((tuned, found.expanded), (base, found.lost)):
        assert pass_at(counts, 8, 8).value == pytest.approx((len(own) + len(found.kept)) / found.size)
    # Where the base solves nothing, expansion is pass@k.
    nothing = boundary([0] * 7, tuned)
    assert nothing.expansion.value == pytest.approx(pass_at(tuned, 8, 8).value)
    assert math.isnan(nothing.shrinkage.value) and str(nothing.shrinkage) == ""
    with pytest.raises(UserError):
        boundary([0], [0, 1])


def test_intervals():
    one = mean_of([0.0, 1.0, 1.0, 1.0])
    assert one.value == 0.75 and one.low < 0.75 < one.high and one.of == 4
    # Wilson's, of 10 failures in 10: (0, z² / (10 + z²)).
    low, high = wilson(0.0, 10)
    assert low == 0 and high == pytest.approx(1.96**2 / (10 + 1.96**2), abs=1e-4)
    assert mean_of([0.0] * 10).high == high and mean_of([1.0] * 10).low == pytest.approx(1 - high)
    assert wilson(0.3, 50) == pytest.approx((0.1910, 0.4375), abs=1e-3)
    found = pass_at([0, 2, 4], 4, 2)
    assert found.value == pytest.approx((0 + (1 - 1 / 6) + 1) / 3)


def test_union_and_intersection():
    counts = [[0, 0, 1, 2], [0, 3, 0, 1]]
    assert defeated(counts, by_all=True) == [0]
    assert defeated(counts, by_all=False) == [0, 1, 2]
    assert defeated(counts[:1], by_all=False) == defeated(counts[:1], by_all=True) == [0, 1]
