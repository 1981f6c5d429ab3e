"""Numbers of searches, by hand."""

import pytest

from rlft.environments.searching import Searched
from rlft.measure.navigation import navigation, paid_by_spl
from rlft.types import Problem

FOUND = [Searched(True, 20, 10, 2), Searched(True, 10, 10, 1), Searched(False, 30, 10, 3), Searched(True, 40, 10, 1)]


def test_by_hand():
    problems = [Problem(i, 0) for i in range(4)]
    assert paid_by_spl(problems, FOUND) == pytest.approx([0.5, 1, 0, 0.25])
    expected = {"success": 0.75, "spl": 0.4375, "walked": 25, "tries": 1.75, "first": 0.5}
    assert navigation(problems, FOUND) == pytest.approx(expected)
