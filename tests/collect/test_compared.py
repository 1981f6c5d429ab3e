"""Rows beside their lessons: sentences, cosines and gaps by hand."""

import math

import pytest
import torch

from rlft.collect.compared import by_counts, compared, hardness
from rlft.training.score import score
from rlft.types import Problem, Rollouts, UserError
from tests.collect.test_augment import Script

PLANE = {"e": (1.0, 0.0), "n": (0.0, 2.0), "t": (3.0, 4.0), "w": (-1.0, 0.0)}


def encode(texts):
    return torch.tensor([PLANE[text.strip(".")] for text in texts])


def test_the_best_sentence_of_the_lesson_for_each_of_the_output():
    """t is at 0.6 of e and 0.8 of n; west of east counts as nothing in common."""
    found = hardness(["t", "e. n", "t. w", "n\ne.", "", "t"], ["e. n", "n", "e", "e. n", "e", None], encode)
    expected = [1 - 0.8, 1 - 0.5, 1 - 0.3, 0.0, 1.0]
    assert found[:5].tolist() == pytest.approx(expected, abs=1e-12) and math.isnan(found[5])


def test_counts_of_characters_need_no_model():
    """abd has a, b and ab of the six things in abc, and six of its own in all."""
    found = hardness(["abc", "abd", "xyz"], ["abc"] * 3, by_counts)
    assert found.tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)


class Judged(Script):
    """One step of two groups of two rows; a lesson's worth is its length."""

    def __init__(self, lessons, rewards=(1.0, 2.0, 0.0, float("nan")), outputs=("e", "n", "t", "e")):
        super().__init__([])
        self.problems = [Problem(place, "q", answer=lesson) for place, lesson in enumerate(lessons)]
        self.given, self.outputs, self.asked = torch.tensor(rewards, dtype=torch.float64), list(outputs), []

    def draw(self, count):
        rows = tuple(problem for problem in self.problems for _ in range(2))
        made = Rollouts(rows, 2, self.outputs, {}, torch.ones(4, 1, dtype=torch.bool), torch.zeros(4, 1).double())
        return made.fill(position=torch.arange(4), rewards=self.given)

    def judged(self, problems, outputs, decisions):
        self.asked.append(list(outputs))
        return score(lambda problems, outputs: [float(len(output)) for output in outputs], problems, outputs)


def test_gaps_to_the_lessons_reward():
    source = Judged(["e. n", "n"])
    rows = compared(encode)(source)
    assert source.asked == [["e. n", "n"]]  # once each
    assert rows.column("gap")[:3].tolist() == [3.0, 2.0, 1.0] and rows.column("gap")[3].isnan()
    assert rows.column("hardness").tolist() == pytest.approx([0.0, 0.0, 0.2, 1.0], abs=1e-12)
    told = {"compared/hardness": 0.3, "compared/gap": 2.0, "compared/ahead": 0.0}
    assert source.notes == pytest.approx(told)


def test_a_problem_without_a_lesson():
    source = Judged([None, "n"])
    rows = compared(encode)(source)
    assert rows.column("gap")[:2].isnan().all() and rows.column("hardness")[:2].isnan().all()
    assert rows.column("gap")[2].item() == 1.0
    with pytest.raises(UserError, match="no problem of this step has an answer"):
        compared(encode)(Judged([None, None]))
