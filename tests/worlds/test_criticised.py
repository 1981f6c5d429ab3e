"""Chains with a muddled teacher, annotators who err, and what is said of a critic beside the rule, by hand."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from rlft.rewards.critiques.critique import Critique, by_function
from rlft.tasks.steps import Steps, operations, result, told, written
from rlft.types import Problem, Text
from rlft.worlds.criticised import (
    CUT,
    LEVELS,
    Once,
    Shown,
    Signs,
    against_the_rule,
    annotation,
    criticised,
    muddled,
    passing,
    soundness,
    terse,
    wrong,
)

QUESTION = "7a+2b*3c-1d*7......="
ASKED = Problem(0, QUESTION, "2")
RIGHT = "a79b97c76d62=2"


def steps(text):
    return [text[begin:end] for begin, end in CUT.of(text)]


def test_by_hand():
    assert written(told(QUESTION)) == RIGHT
    assert steps(RIGHT) == ["a79", "b97", "c76", "d62", "=2"]
    assert terse(QUESTION) == "b97d62=2"
    task = Steps(LEVELS)
    assert Shown(task, "terse").at(4).demonstration == terse(task.at(4).input)
    assert Shown(task, "whole").at(4) == task.at(4)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (RIGHT, []),
        ("a79b92c21d17=7", [2]),  # 9 and 3 for 9 times 3, gone on from
        ("a79b97c86d62=2", [3]),  # another start than was come to
        ("a79b97c76d62=3", [5]),
        ("a79b97d62=2", [3, 4]),  # one is left out: d out of turn, and the conclusion comes too early
        ("=2", [1]),
        ("a79b97c76d62d62=2", [5, 6]),
        ("a7b97", [1]),
        ("nothing", [1]),
    ],
)
def test_the_rule_that_knows(row, expected):
    assert sorted(wrong(ASKED, steps(row))) == expected


def test_the_teacher():
    """Three of eight products and 23 of 24 sums are right; a product that is not is the sum."""
    found = Counter()
    for index in range(500):
        problem = Steps(LEVELS).at(index)
        start, kinds = operations(problem.input)
        row = steps(str(muddled(problem).demonstration))
        for step, kind in zip(row, kinds, strict=False):
            come = int(step[2])
            found[kind[0] == "*", come == result(start, kind)] += 1
            assert kind[0] != "*" or come in (result(start, kind), result(start, f"+{kind[1]}"))
            start = come
        assert row[-1] == f"={start}" and muddled(problem) == muddled(problem)
    assert found[True, True] / (found[True, True] + found[True, False]) == pytest.approx(3 / 8, abs=0.05)
    assert found[False, False] / (found[False, True] + found[False, False]) == pytest.approx(1 / 24, abs=0.03)


def test_annotators():
    """They pass a wrong step one time in twelve, and blame a right one one time in eight; without errors never."""
    found = Counter()
    for index in range(500):
        problem = Steps(LEVELS).at(index)
        row, _, said = str(annotation(problem).demonstration).partition("?")
        assert row == muddled(problem).demonstration
        truth = wrong(problem, steps(row))
        blamed = Signs().wrong(said, len(steps(row)))
        assert blamed is not None
        found.update((number in truth, number in blamed) for number in range(1, len(steps(row)) + 1))
        faultless = str(annotation(problem, 0, 0).demonstration).partition("?")[2]
        assert Signs().wrong(faultless, len(steps(row))) == truth
        assert faultless.replace("+", "").replace("-", "") == row
    assert found[True, False] / (found[True, False] + found[True, True]) == pytest.approx(1 / 12, abs=0.05)
    assert found[False, True] / (found[False, False] + found[False, True]) == pytest.approx(1 / 8, abs=0.03)


def test_signs():
    assert Signs().wrong("a79+b92-c21+=1-", 4) == {2, 4} and Signs().wrong("a79+=9+", 2) == frozenset()
    assert Signs().wrong("a79+b92-", 3) is None and Signs().wrong("a79+b92-=", 2) is None


OUTPUTS = [Text(RIGHT), Text("a79b92c21d17=7"), Text("=2"), Text(RIGHT, truncated=True)]


def test_against_the_rule():
    """A critic that blames first steps: wrong steps are 1 of the second row and 1 of the third, of which it blames the
    latter; of the 5 + 4 + 5 right ones it blames three."""
    critic = Critique(by_function(lambda problem, steps: [1]), CUT)
    found = against_the_rule(critic)([ASKED] * 4, OUTPUTS)
    assert found == pytest.approx({"clean": 0, "fooled": 0, "missed": 0.5, "accused": 3 / 14, "exact": 0.25})
    blind = Critique(by_function(lambda problem, steps: []), CUT)
    found = against_the_rule(blind)([ASKED] * 4, OUTPUTS)
    assert (found["clean"], found["fooled"], found["missed"], found["exact"]) == (0.75, 0.5, 1, 0.5)
    assert passing(blind)([ASKED] * 4, OUTPUTS).tolist() == [1, 1, 1, 0]
    rule = against_the_rule(Critique(by_function(wrong), CUT))([ASKED] * 4, OUTPUTS)
    assert (rule["exact"], rule["missed"], rule["accused"], rule["clean"], rule["fooled"]) == (1, 0, 0, 0.25, 0)
    assert soundness([ASKED] * 4, OUTPUTS) == {"sound": 0.25, "told": 0.75}


def test_a_batch_is_asked_about_once():
    asked = []
    once = Once(by_function(lambda problem, steps: asked.append(problem.index) or [1]))
    critic = Critique(once, CUT)
    for outputs in (OUTPUTS, OUTPUTS, OUTPUTS[:1]):
        critic([replace(ASKED, index=len(outputs))] * len(outputs), outputs)
    assert asked == [4] * 4 + [1]


def test_the_world():
    """Small: the reward pays answers or the critic's approval, and blames beside."""
    told = {"imitation": 2, "annotated": 2, "questions": 6, "votes": 2}
    for paid, by in (("answer", "rule"), ("critic", "rule"), ("answer", "model")):
        world = criticised(paid=paid, by=by, **told)
        found = world.reward([ASKED] * 4, OUTPUTS)
        assert found["paid"].tolist() == ([1, 0, 1, 0] if paid == "answer" else [1, 0, 0, 0])
        assert len(found.blame) == 4 and torch.isfinite(found.watch["critic/wrong"]).all()
        if by == "rule":
            assert found.blame == [[], [(3, 6, 1.0)], [(0, 2, 1.0)], []]
