"""Means over the rows of each group."""

import pytest

from rlft.measure.groups import means


def test_each_key_has_the_mean_of_its_own_in_the_order_they_came():
    found = means(iter([1.0, 0.5, 0.0, 4.0]), ["b", "a", "b", "c"])
    assert list(found.items()) == [("b", 0.5), ("a", 0.5), ("c", 4.0)]
    assert means([], []) == {}
    with pytest.raises(ValueError, match="shorter"):
        means([1.0, 2.0], ["a"])
