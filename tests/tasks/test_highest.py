"""The highest of many entries: what is right, and splits that share no problem."""

import pytest

from rlft.tasks.highest import DIGITS, LETTERS, Highest
from rlft.types import Task, UserError


def test_the_answer_stands_on_one_page_and_earns_one():
    task = Highest(2, 5, each=3)
    assert isinstance(task, Task)
    places, lengths = set(), set()
    for problem in map(task.at, range(300)):
        pages = problem.columns["pages"]
        lengths.add(len(pages))
        for kind, best in zip((DIGITS, LETTERS), problem.answer, strict=True):
            assert all(sum(entry in kind for entry in page) == 3 for page in pages)
            assert best == max(entry for page in pages for entry in page if entry in kind)
            here = [number for number, page in enumerate(pages) for entry in page if entry == best]
            assert len(here) == 1
            places.add((len(pages), here[0]))
        assert task.reward([problem] * 3, [problem.answer, problem.answer[:1], ""]).tolist() == [1.0, 0.0, 0.0]
    assert lengths == {2, 3, 4, 5} and len(places) == 2 + 3 + 4 + 5
    assert task.at(5) == Highest(2, 5, each=3).at(5)
    assert len({task.at(i).answer for i in range(300)}) > 60


def test_splits_share_no_problem():
    train, test = (
        {tuple(Highest(1, 1, 1, split=s).at(i).columns["pages"]) for i in range(400)} for s in ("train", "test")
    )
    assert not train & test and min(len(train), len(test)) > 40


def test_what_cannot_be_is_refused():
    for settings in ({"split": "dev"}, {"shortest": 0}, {"shortest": 5, "longest": 4}, {"each": 0}):
        with pytest.raises(UserError, match=r"splits train, test|shortest <= longest"):
            Highest(**settings)
