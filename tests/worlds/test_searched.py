"""Lessons, the same ones whichever way is asked, and who else searches."""

import pytest

from rlft.environments.houses import house
from rlft.environments.searching import Search
from rlft.errors import UserError
from rlft.measure.navigation import navigation
from rlft.policies.control.chooser import Chooser, Pointer
from rlft.worlds.searched import Exploring, Houses, Knowing, against_frontier, searched, taught

SIZE = 12


def task(staging="two", points=False, split="train"):
    return Houses(3, split, SIZE, staging, points, 3, 100, 3)


def test_lessons_end_at_the_goal():
    for index in range(SIZE):
        problem = task().at(index)
        assert 1 <= len(problem.answer) <= 2
        one = task("one").at(index).answer
        (seen, place) = task("one", points=True).at(index).answer[0]
        # the same things were looked at before, so the same candidates are left
        assert len(one) == 1 and (one[0][0] == seen).all() and one[0][0][0, -1] == problem.answer[0][0][0, -1]
        y, x = divmod(house(3, "train", index).goals[0], house(3, "train", index).free.shape[1])
        assert place == (x / 30, y / 30)
    assert len({float(task().at(index).answer[0][0][0, -1]) for index in range(SIZE)}) > 1
    assert task(split="test").at(0).answer is None
    with pytest.raises(UserError, match="none with index 12"):
        task().at(SIZE)


def test_who_follows_a_lesson_finds_it():
    found = 0
    for index in range(SIZE):
        search = task("two", split="test").begin(task(split="test").at(index))
        while search.asked and len(search.tried) < 1:
            search.choose(search.right())
        found += search.outcome().success
    assert found >= 0.9 * SIZE


def test_others_who_search():
    problems = [task(split="test").at(index) for index in range(SIZE)]
    knows, explores = Knowing().sample(problems, 2, 0), Exploring(100).sample(problems, 1, 0)
    told = navigation(problems, knows.outputs[::2])
    assert told["success"] == 1 and told["spl"] > 0.85 and knows.outputs[::2] == knows.outputs[1::2]
    assert not knows.mask.any() and navigation(problems, explores.outputs)["spl"] < 0.7 * told["spl"]
    assert against_frontier(100, problems, explores.outputs)["ratio"] == pytest.approx(1.0)
    ended = Exploring(5).sample(problems, 1, 0).outputs
    assert not any(one.success for one in ended) and {one.steps for one in ended} == {5}


def test_what_is_taught_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    one, other = (taught(Chooser, task(), 3, 1e-2, 0) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert len(list((tmp_path / "searched").iterdir())) == 1
    pointer = taught(Pointer, task("one", points=True), 3, 1e-2, 0)
    drawn = pointer.sample([task("one", split="test").at(0)], 2, 0)
    assert drawn.trace["decision"].shape[-1] == 2 and isinstance(task().begin(task().at(0)), Search)


def test_settings_that_make_no_sense():
    with pytest.raises(UserError, match="at least 1 of each"):
        searched(tries=0)
