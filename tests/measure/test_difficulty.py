"""What is solved at each level of difficulty, by hand."""

import math

import pytest
import torch

from rlft.measure.difficulty import by_column, by_difficulty, level, level_chances, level_of
from rlft.training.evaluate import solved_share
from rlft.types import Problem, UserError
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


@pytest.mark.parametrize(("right", "name"), [(5, "L1"), (4, "L2"), (3, "L3"), (2, "L4"), (1, "L5"), (0, "L6")])
def test_levels_of_five_draws(right, name):
    assert level_of(right, 5) == name


def test_levels_are_binomial():
    """Of a guess among four options none of five is right in 243 cases of 1024, all in one."""
    chances = level_chances(1 / 4, 5)
    assert list(chances) == ["L1", "L2", "L3", "L4", "L5", "L6"]
    assert [1024 * chance for chance in chances.values()] == pytest.approx([1, 15, 90, 270, 405, 243], abs=1e-9)
    assert level_chances(1.0, 5) == {"L1": 1.0, **dict.fromkeys(("L2", "L3", "L4", "L5", "L6"), 0.0)}
    with pytest.raises(UserError, match="got 6 of 5"):
        level_of(6, 5)


def test_by_the_values_of_a_column():
    """Three rows of a, one of which was not scored, and one of b; parts of a reward are added up."""
    problems = [Problem(index, None, columns={"meta": {"kind": kind}}) for index, kind in enumerate("aaba")]
    scores = [1.0, 0.0, 0.5, None]
    found = by_column(lambda problems, outputs: scores, "meta.kind")(problems, [""] * 4)
    assert found == {"meta.kind/a": 0.5, "meta.kind/b": 0.5}
    parts = by_column(lambda problems, outputs: {"x": scores, "y": [1.0] * 4}, "meta.kind")
    assert parts(problems, [""] * 4) == {"meta.kind/a": 1.5, "meta.kind/b": 1.5}
    paid = torch.tensor([[0.5, 0.5], [0.0, 1.0], [2.0, 0.0], [0.0, 0.0]])  # at each of two decisions
    assert by_column(lambda problems, outputs: paid, "meta.kind")(problems, [""] * 4)["meta.kind/b"] == 2
    with pytest.raises(UserError, match="no column 'level'"):
        by_column(lambda problems, outputs: scores, "level")(problems, [""] * 4)
