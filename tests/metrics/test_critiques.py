"""Precision, recall and F1 of critiques, and the recall of a union, by hand."""

import itertools

import pytest

from rlft.errors import UserError
from rlft.metrics.critiques import Found, found, together, union_recall


def test_counts_and_what_comes_of_them():
    one = found({("a", "x"), ("b", "x"), ("c", "y")}, {("a", "x"), ("b", "y"), ("c", "y"), ("d", "y")})
    assert one == Found(2, 3, 4)  # a place with another kind is another unit
    assert (one.precision, one.recall, one.f1) == (2 / 3, 1 / 2, 4 / 7)
    assert one.f1 == pytest.approx(2 / (1 / one.precision + 1 / one.recall))


def test_nothing_said_and_nothing_wrong():
    told = {(said, true): found(set(range(said)), set(range(true))) for said in (0, 2) for true in (0, 2)}
    assert [told[0, 0].precision, told[0, 0].recall, told[0, 0].f1] == [1, 1, 1]
    assert [told[0, 2].precision, told[0, 2].recall, told[0, 2].f1] == [0, 0, 0]
    assert [told[2, 0].precision, told[2, 0].recall, told[2, 0].f1] == [0, 0, 0]


def test_all_rows_together_are_no_mean_of_rows():
    rows = [Found(1, 1, 1), Found(0, 0, 0), Found(1, 4, 2)]
    assert together(rows) == Found(2, 5, 3)
    assert together(rows).f1 == 0.5 and sum(one.f1 for one in rows) / 3 == pytest.approx(7 / 9)


def test_the_union_misses_what_all_miss():
    """Against all ways to miss: of the critics each sees with its chance, for itself."""
    missed = [0.1, 0.85, 0.2, 0.45]
    seen = 0.0
    for misses in itertools.product((False, True), repeat=4):
        chance = 1.0
        for own, miss in zip(missed, misses, strict=True):
            chance *= own if miss else 1 - own
        seen += chance * (not all(misses))
    assert union_recall(missed) == pytest.approx(seen, abs=1e-12) == pytest.approx(1 - 0.00765)
    assert union_recall([]) == 0
    with pytest.raises(UserError, match="from 0 to 1"):
        union_recall([1.2])
