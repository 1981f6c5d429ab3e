"""What comes back and what is said of it: by hand, with state, in several processes' order."""

from dataclasses import replace

import pytest

from rlft.collect.recycle import Recycling
from rlft.tasks.recycled import Recycled
from rlft.types import Problem, UserError
from tests.collect.test_augment import Script
from tests.fakes import Cards

nan = float("nan")


class Written(Script):
    """The same with outputs."""

    def draw(self, count):
        rollouts = super().draw(count)
        return replace(rollouts, outputs=[f"out{row}" for row in range(len(rollouts))])


def said(problem, output):
    return f"{problem.input}:{output}"


def told(problem, feedback):
    return replace(problem, input=f"{problem.input}|{feedback}")


def plain(index):
    return Problem(index, f"q{index}")


def test_by_hand():
    kept = Recycling(said, below=0.5, share=1.0, most=3)
    assert kept.of(0, 0) is None
    source = Written(([0.2, 0.1, 0.6, 0.5, nan, 0.4, nan, nan], [plain(index) for index in range(4)]))
    kept(source)
    # The worst row of the first, the only low one of the third; the second is not low, the fourth has no reward.
    assert kept.waiting == [(0, "q0:out1"), (2, "q2:out5")]
    assert source.notes == {"recycle/waiting": 2, "recycle/asked": 0.0}
    task = Recycled(Cards(8), kept.of, told)
    again = task.at(5)
    entry = again.columns["recycled"]
    assert entry in kept.waiting
    assert again.index == 5
    assert str(again.input).endswith(f"|{entry[1]}")
    other = next(one for one in kept.waiting if one != entry)
    # It was asked again and fails again: the old entry is gone and a new one of the same problem behind the other.
    source = Written(([0.3, 0.4, 0.9, 0.9], [again, plain(7)]))
    kept(source)
    assert kept.waiting == [other, (entry[0], said(again, "out0"))]
    assert source.notes["recycle/asked"] == 0.5
    # The oldest falls out.
    kept(Written(([0.0, 0.0, 0.0, 0.0], [plain(10), plain(11)])))
    assert [index for index, _ in kept.waiting] == [entry[0], 10, 11]
    fresh = Recycling(said, share=1.0)
    fresh.load_state_dict(kept.state_dict())
    assert fresh.waiting == kept.waiting
    assert fresh.of(3, 1) == kept.of(3, 1)


def test_the_share_of_places():
    kept = Recycling(said, share=0.25)
    kept.waiting = [(0, "a"), (1, "b")]
    given = [kept.of(index, 0) for index in range(4000)]
    assert 900 < sum(entry is not None for entry in given) < 1100
    assert 400 < sum(entry == (1, "b") for entry in given) < 600
    task = Recycled(Cards(8), Recycling(said, share=0.0).of, told)
    assert [task.at(index) for index in range(8)] == [Cards(8).at(index) for index in range(8)]


def test_what_is_refused():
    for wrong in ({"share": 1.5}, {"most": 0}):
        with pytest.raises(UserError):
            Recycling(said, **wrong)
