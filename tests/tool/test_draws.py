"""Counts on a file: rounds, what is left out once solved, what a second call still draws, and whose folder it is."""

import json
from dataclasses import dataclass

import pytest
import torch

from rlft.errors import UserError
from rlft.tool.draws import Draws
from rlft.types import Problem, Rollouts


@dataclass
class How:
    solved: float = 1.0
    at_once: int = 3
    batch: int = 2
    seed: int = 0


class Numbers:
    name, split, size = "numbers", "test", 6

    def at(self, index):
        return Problem(index, index, index)


class Teller:
    """Its draw number d of problem i is right where i > d; notes what it was asked."""

    def __init__(self, asked):
        self.asked = asked

    def sample(self, problems, group, seed):
        self.asked.append(([problem.index for problem in problems], group, seed))
        rows = tuple(problem for problem in problems for _ in range(group))
        mask = torch.ones(len(rows), 1, dtype=torch.bool)
        return Rollouts(rows, group, [*range(group)] * len(problems), {}, mask, torch.zeros(mask.shape))


def right(problems, outputs):
    return [None if p.index == 5 and o == 0 else float(p.index > o) for p, o in zip(problems, outputs, strict=True)]


def made(folder, asked, settings=None, **how):
    loads = []

    def load(model):
        loads.append(model)
        return Teller(asked)

    return Draws(folder, settings or {"data": "x"}, Numbers(), right, load, How(**how)), loads


def test_counts_by_hand_and_what_is_drawn_again(tmp_path):
    asked = []
    draws, loads = made(tmp_path / "study", asked)
    # Rounds of 3 and 2 draws; those of problem 5 that could not be scored are not right.
    drawn = draws.of("a", "fresh", [0, 2, 5], 5)
    assert drawn.right == [0, 2 + 2, 2 + 1] and drawn.at([5, 0]) == [3, 0]
    assert [(indices, group) for indices, group, _ in asked] == [([0, 2], 3), ([5], 3), ([0, 2], 2), ([5], 2)]
    seeds = [seed for _, _, seed in asked]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]
    # Another model meets the same noise, another part other noise.
    draws.of("b", "fresh", [0], 3)
    draws.of("b", "screen", [0], 3)
    assert asked[4][2] == seeds[0] and asked[5][2] not in seeds and loads == ["a", "b"]
    # The same command goes on, after a line that was cut off: nothing is drawn twice.
    with (tmp_path / "study" / "counts.jsonl").open("a") as file:
        file.write('{"model": "a", "par')
    more = []
    again, loads = made(tmp_path / "study", more)
    assert again.of("a", "fresh", [0, 2, 3, 5], 5).right == [0, 4, 3 + 2, 3]
    assert [indices for indices, _, _ in more] == [[3], [3]] and loads == ["a"]
    assert all(json.loads(line) for line in (tmp_path / "study" / "counts.jsonl").read_text().splitlines())


def test_until_solved(tmp_path):
    asked = []
    draws, _ = made(tmp_path / "study", asked, batch=9)
    assert [count > 0 for count in draws.of("a", "screen", [0, 1, 4], 6, until_solved=True).right] == [
        False,
        True,
        True,
    ]
    assert [indices for indices, _, _ in asked] == [[0, 1, 4], [0]]


def test_what_is_refused(tmp_path):
    made(tmp_path / "study", [])
    with pytest.raises(UserError, match="data was 'x' and is now 'y'"):
        made(tmp_path / "study", [], {"data": "y"})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(UserError, match="is no study"):
        made(tmp_path / "other", [])
