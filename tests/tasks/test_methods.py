"""Methods to be written: heads of one split, answers that are verified, and each aspect wrong is seen."""

import random
from collections import Counter

import pytest

from rlft.tasks.methods import ASPECTS, SPLITS, Methods, Sum, headed, ways_of, written
from rlft.types import UserError
from rlft.verifiers.conditions import verified


def test_problems():
    task = Methods(size=16)
    problems = [task.at(index) for index in range(16)]
    assert set(Counter(one.columns["kind"] for one in problems).values()) == {2}
    assert all(verified(one.columns["header"], one.answer).ok for one in problems)
    assert problems[0].input.startswith("// count up\nmethod M(k: int, n: int) returns (r: int)\n  requires k <= n\n")
    with pytest.raises(IndexError):
        task.at(16)
    assert {len(Methods(sums=1).at(index).columns["sums"]) for index in range(16)} == {1}
    with pytest.raises(UserError, match="one sum"):
        Methods(sums=3)
    with pytest.raises(UserError, match="splits train, validation, test"):
        Methods("dev")


def test_splits_share_no_head():
    heads = [{Methods(split).at(index).columns["header"] for index in range(60)} for split in SPLITS]
    assert not heads[0] & heads[2] and not heads[0] & heads[1] and not heads[1] & heads[2]


@pytest.mark.parametrize("aspect", ASPECTS)
def test_each_aspect_matters(aspect):
    """Whatever is drawn for it, in every kind of method."""
    draw = random.Random(aspect)
    for index in range(8):
        problem = Methods().at(index)
        text = written(*ways_of(problem), [aspect], draw)
        found = verified(problem.columns["header"], text)
        assert found.reason == "unproved", text


def test_a_sum_is_written_from_low_to_high():
    one = Sum("r", 2, "-", 3)
    assert one.written("n", "k") == "r == 2 - 3 * n + 3 * k"
    assert headed([one]).endswith("requires k <= n\n  ensures r == 2 - 3 * n + 3 * k")
