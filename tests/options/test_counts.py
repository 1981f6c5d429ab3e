"""Counts on the command line: the first that is too small is said, by its option."""

from types import SimpleNamespace

import pytest

from rlft.errors import UserError
from rlft.options.counts import at_least


def test_the_least_of_counts():
    given = SimpleNamespace(samples=1, at_once=0, most=None)
    at_least(given, samples=1, at_once=0, most=1)
    with pytest.raises(UserError, match=r"^--at-once must be at least 1; got 0$"):
        at_least(given, samples=1, at_once=1)
