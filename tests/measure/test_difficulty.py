"""What is solved at each level of difficulty, by hand."""

import math

import pytest

from rlft.measure.difficulty import by_difficulty, level
from rlft.training.evaluate import solved_share
from rlft.types import Problem
from tests.fakes import Cards, Table


@pytest.mark.parametrize(
    ("solved", "name"),
    [(8, "easy"), (6, "easy"), (5, "medium"), (3, "medium"), (2, "hard"), (1, "hard"), (0, "hardest")],
)
def test_levels_are_those_of_eight_tries(solved, name):
    assert level(solved / 8) == name


def test_by_hand():
    """Two easy problems, of whose four rows three are right; two hardest, of which one has a right row."""
    problems = [Problem(index, None) for index in (0, 0, 1, 1, 2, 2, 3, 3)]
    outputs = [1, 1, 1, 0, 0, 0, 0, 1]
    shares = {0: 1.0, 1: 0.8, 2: 0.0, 3: 0.0}
    found = by_difficulty(lambda problems, outputs: outputs, shares)(problems, outputs)
    assert (found["easy"], found["easy/any"], found["easy/problems"]) == (0.75, 1.0, 2.0)
    assert (found["hardest"], found["hardest/any"], found["hardest/problems"]) == (0.25, 0.5, 2.0)
    assert found["hard/problems"] == 0 and math.isnan(found["hard"]) and math.isnan(found["hard/any"])


def test_the_share_is_of_a_policy_s_own_rows():
    """The first decision of a uniform policy is the answer's in one row of five."""
    policy = Table()
    policy.logits.data.zero_()

    def first(problems, outputs):
        return [float(out[:1] == problem.answer[:1]) for problem, out in zip(problems, outputs, strict=True)]

    shares = solved_share(policy, Cards(size=12), first, problems=10, samples=500, seed=4)
    assert list(shares) == list(range(10))
    assert all(abs(share - 0.2) < 0.06 for share in shares.values()) and len(set(shares.values())) > 3
    other = solved_share(policy, Cards(size=12), first, problems=10, samples=500, seed=5)
    assert other != shares
