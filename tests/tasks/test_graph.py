"""A graph and its questions: walks by hand, options, splits, another order."""

from collections import Counter

import pytest

from rlft.errors import UserError
from rlft.rewards.text import label
from rlft.tasks.graph import RELATIONS, Graph, Hops, Reordered, entities, told, vocabulary

GRAPH = Graph(24)
TEST = Hops(GRAPH, (1, 2, 3, 4, 5), size=400, split="test")


def options(problem):
    words = problem.input.split("?")[1].split()[:-1]
    assert words[problem.columns["place"]] == problem.answer
    return words


def test_the_graph():
    assert len(set(GRAPH.names)) == 24
    for name in GRAPH.names:
        neighbours = [GRAPH.after(name, relation) for relation in RELATIONS]
        assert len(set(neighbours)) == 4 and name not in neighbours
    assert any(GRAPH.after(n, r) != Graph(24, seed=1).after(n, r) for n in GRAPH.names for r in RELATIONS)
    one = GRAPH.after(GRAPH.names[3], "causes")
    two = GRAPH.after(one, "blocks")
    assert GRAPH.walk(GRAPH.names[3], ("causes", "blocks")) == [GRAPH.names[3], one, two]
    said = [GRAPH.names[3], "causes", one, "blocks", two]
    assert GRAPH.connected(said) == 2 and GRAPH.connected(said[::-1]) == 0 and GRAPH.connected(said[1:]) == 1
    with pytest.raises(UserError, match="6 to 90 entities"):
        entities(4)


def test_questions():
    for index in range(200):
        problem = TEST.at(index)
        start, *relations = problem.input.split("?")[0].split()
        walk = GRAPH.walk(start, relations)
        assert len(relations) == problem.columns["hops"] == index % 5 + 1
        shown = options(problem)
        assert problem.answer == walk[-1] and start not in shown and len(set(shown)) == len(shown) == 4
        near = {GRAPH.after(walk[-2], other) for other in RELATIONS if other != relations[-1]}
        assert near & set(shown) or start in near
        assert problem.columns["path"] == told(walk, relations)
        assert problem.demonstration == f"{problem.columns['path']}</think> {walk[-1]}"
        assert label()([problem], [problem.demonstration]).tolist() == [1]
    assert TEST.at(7) == TEST.at(7)
    with pytest.raises(IndexError):
        TEST.at(400)


def test_places_are_alike_often():
    counts = Counter(TEST.at(index).columns["place"] for index in range(400))
    assert all(70 < counts[place] < 130 for place in range(4))  # 100 within 3.5 deviations of 8.7


def test_splits_are_apart():
    of = {
        split: {Hops(GRAPH, (1, 2, 3), split=split).at(i).columns["path"] for i in range(300)}
        for split in ("train", "test")
    }
    assert not of["train"] & of["test"] and min(map(len, of.values())) > 150
    with pytest.raises(UserError, match="splits train, test"):
        Hops(GRAPH, (1,), split="dev")
    with pytest.raises(UserError, match="at least one hop"):
        Hops(GRAPH, (0, 1))


def test_in_another_order():
    again = Reordered(TEST)
    for index in range(60):
        one, other = TEST.at(index), again.at(index)
        assert one.columns["place"] != other.columns["place"] and other.index == index
        assert set(options(one)) == set(options(other)) and one.answer == other.answer
        assert one.columns["path"] == other.columns["path"]


def test_every_word_is_a_token():
    known = set(vocabulary(24))
    for index in range(50):
        problem = TEST.at(index)
        words = [f" {word}" for word in (problem.input + problem.demonstration.replace("</think>", "")).split()]
        assert set(words) <= known
