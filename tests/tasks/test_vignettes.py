"""Questions bare and with what is on the way, by hand: walks, options, places, splits."""

from collections import Counter

import pytest

from rlft.rewards.text import label
from rlft.tasks.graph import RELATIONS, Graph, told
from rlft.tasks.vignettes import Vignettes
from rlft.types import UserError

GRAPH = Graph(24)
TEST = Vignettes(GRAPH, (1, 2, 3, 4, 5), size=400, split="test")


def options(problem):
    return problem.input.split("?")[1].split()[:-1]


def test_questions():
    for index in range(200):
        problem = TEST.at(index)
        columns, said = problem.columns, problem.input.split("?")[0].split()
        walk = GRAPH.walk(columns["start"], columns["relations"])
        assert len(columns["relations"]) == columns["hops"] == index % 5 + 1
        asked = index // 5 % 2 == 1
        assert columns["facts"] == (columns["hops"] - 1 if asked else 0)
        assert [word for word in said if word in RELATIONS] == list(columns["relations"])
        assert [word for word in said if word not in RELATIONS] == (walk[:-1] if asked else walk[:1])
        shown = options(problem)
        assert problem.answer == walk[-1] and walk[0] not in shown and len(set(shown)) == len(shown) == 4
        assert columns["tempting"] == GRAPH.after(walk[0], columns["relations"][-1]) and columns["tempting"] in shown
        assert problem.demonstration == f"{told(walk, columns['relations'])}</think> {walk[-1]}"
        assert label()([problem], [problem.demonstration]).tolist() == [1]
    assert TEST.at(7) == TEST.at(7)
    with pytest.raises(IndexError):
        TEST.at(400)


def test_all_told_or_none_are_the_same_questions():
    with_facts, bare = (Vignettes(GRAPH, (2, 3), size=60, told=told) for told in (True, False))
    for index in range(60):
        one, other = with_facts.at(index), bare.at(index)
        assert one.answer == other.answer and options(one) == options(other) and one.key == other.key
        assert len(one.input.split()) == len(other.input.split()) + one.columns["facts"]
        assert other.columns["facts"] == 0 < one.columns["facts"]


def test_a_guess_is_right_one_time_in_four():
    counts = Counter(options(TEST.at(index)).index(TEST.at(index).answer) for index in range(400))
    assert all(70 < counts[place] < 130 for place in range(4))  # 100 within 3.5 deviations of 8.7


def test_splits_are_apart():
    train = Vignettes(GRAPH, (1, 2), size=600)
    of = {split: {(p.columns["start"], *p.columns["relations"]) for p in map(task.at, range(task.size))}
          for split, task in (("train", train), ("test", Vignettes(GRAPH, (1, 2), 600, "test")))}  # fmt: skip
    assert not of["train"] & of["test"] and len(of["train"]) > 100
    with pytest.raises(UserError, match="the splits train, test; not 'dev'"):
        Vignettes(GRAPH, (1,), split="dev")
    with pytest.raises(UserError, match="at least one hop"):
        Vignettes(GRAPH, (0, 1))
