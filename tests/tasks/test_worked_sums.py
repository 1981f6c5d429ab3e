"""Worked sums: right totals, outcome reward, splits that share no beginning."""

import pytest

from rlft.options.task import load_task
from rlft.tasks.worked_sums import WorkedSums
from rlft.types import Text, UserError

SPLITS = ("train", "validation", "test")


def test_the_totals_are_right():
    """3, then 3+4, +2, +5, +5, +1: 7, 9, 14, 19, 20."""
    tasks = [WorkedSums(5, 8, split="test"), WorkedSums(9, 10, split="test")]
    lengths = set()
    for task in tasks:
        for index in range(task.size):
            problem = task.at(index)
            numbers = [int(c) for c in problem.input.rstrip(".=")]
            assert len(problem.input) == 11 and task.shortest <= len(numbers) <= task.longest
            assert all(1 <= n <= 5 for n in numbers[1:])
            assert [int(c) for c in problem.answer] == [sum(numbers[: k + 2]) % 10 for k in range(len(numbers) - 1)]
            lengths.add(len(numbers))
    assert lengths == {5, 6, 7, 8, 9, 10}


def test_splits_share_no_beginning():
    found = [
        [task.at(index).input[:5] for index in range(task.size)]
        for task in (WorkedSums(5, 7, split=split) for split in SPLITS)
    ]
    assert [len(set(beginnings)) for beginnings in found] == [5000, 625, 625]
    assert len({beginning for beginnings in found for beginning in beginnings}) == 6250
    # easy and hard sums split alike: the test split of one shares nothing with the training split of the other
    hard = {task.at(index).input[:5] for task in [WorkedSums(8, 10, split="test")] for index in range(task.size)}
    assert hard == set(found[2])


def test_the_reward_sees_the_last_total_and_the_end():
    problem = WorkedSums(5, 5).at(3)
    last, other = problem.answer[-1], str((int(problem.answer[-1]) + 1) % 10)
    outputs = [Text(problem.answer), Text(last), Text(f"{other * 3}{last}"), Text(last + other), Text("")]
    outputs += [Text(problem.answer, truncated=True)]
    assert WorkedSums().reward([problem] * 6, outputs).tolist() == [1, 1, 1, 0, 0, 0]
    assert WorkedSums().reward([problem], [problem.answer]).tolist() == [1]


def test_the_tool_finds_it():
    task = load_task("worked_sums(shortest=6, longest=6)", split="test")
    assert (task.name, task.split, task.at(0).task) == ("worked-sums-6-6", "test", "worked-sums-6-6")


@pytest.mark.parametrize(
    "settings", [{"shortest": 4}, {"shortest": 7, "longest": 6}, {"longest": 11}, {"split": "dev"}]
)
def test_what_is_refused(settings):
    with pytest.raises(UserError, match=r"worked sums|at least 5"):
        WorkedSums(**settings)
    with pytest.raises(IndexError):
        WorkedSums().at(5000)
