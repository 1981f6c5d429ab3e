"""Ways through a graph: the graph's shape, right and wrong ways, one answer on a tree, splits."""

import itertools

import pytest

from rlft.options.task import load_task
from rlft.tasks.paths import Paths
from rlft.types import Text, UserError


def test_the_graph_is_a_tree_and_chords():
    tree, graph = Paths(chords=0), Paths(chords=26)
    assert sum(map(len, tree.edges.values())) == 2 * 25
    assert sum(map(len, graph.edges.values())) == 2 * 51
    for a, neighbours in graph.edges.items():
        assert a not in neighbours
        assert all(a in graph.edges[b] for b in neighbours)
        assert set(tree.edges[a]) <= set(neighbours)
    # nobody has more than two children and a parent
    assert sorted(map(len, tree.edges.values()))[-1] == 3


def test_ways_by_brute_force():
    task = Paths(nodes=7, chords=4, longest=5)
    for ends in ("ab", "cg", "fd"):
        inner = [letter for letter in task.letters if letter not in ends]
        every = [ends[0] + "".join(middle) + ends[1] for n in range(4) for middle in itertools.permutations(inner, n)]
        right = [way for way in every if task.leads(ends, way)]
        joined = [way for way in every if all(b in task.edges[a] for a, b in itertools.pairwise(way))]
        assert sorted(task.ways(ends)) == sorted(right) == sorted(joined)
        assert len(right) > 1
        assert task.shortest(ends) == min(right, key=lambda way: (len(way), way))
        assert task.ways(ends, 3) == [way for way in task.ways(ends) if len(way) <= 3]


def test_a_tree_has_one_way():
    task = Paths(chords=0)
    for index in range(40):
        ends = task.at(index).columns["ends"]
        assert task.ways(ends) == [task.shortest(ends)]


def test_the_reward():
    task = Paths(nodes=7, chords=4, longest=6)
    problem = next(p for p in map(task.at, range(task.size)) if len(p.answer) == 3)
    ends, way = problem.columns["ends"], problem.answer
    back = "".join(reversed(way))
    detour = way[0] + way[1] + way  # a letter twice
    assert task.ways(ends)[0] == way and len(detour) <= task.longest
    wrong = ["", ends[0], way[1:], way[:-1], back, detour, way + way[-1], f"{way} ", way.upper()]
    outputs = [Text(way), *map(Text, wrong)]
    assert task.reward([problem] * len(outputs), outputs) == [1.0] + [0.0] * len(wrong)
    long = next(w for e in ("ab", "cg", "fd", "ae") for w in Paths(nodes=7, chords=4).ways(e) if len(w) == 5)
    assert not Paths(nodes=7, chords=4, longest=4).leads(long[0] + long[-1], long)
    assert Paths(nodes=7, chords=4, longest=5).leads(long[0] + long[-1], long)


def test_splits_are_disjoint_and_gold_answers_are_right():
    for chords in (0, 26):
        seen = {}
        for split, size in (("train", 520), ("test", 130)):
            task = Paths(chords=chords, split=split)
            assert task.size == size
            problems = [task.at(index) for index in range(task.size)]
            seen[split] = {problem.input for problem in problems}
            assert len(seen[split]) == size
            assert task.reward(problems, [problem.answer for problem in problems]) == [1.0] * size
        assert not seen["train"] & seen["test"]
    assert {p.input for p in map(Paths(chords=0).at, range(520))} == {p.input for p in map(Paths().at, range(520))}


def test_bad_arguments():
    with pytest.raises(UserError, match="has the splits train, test; not 'dev'"):
        Paths(split="dev")
    with pytest.raises(UserError, match="room for 3 more edges; got 4"):
        Paths(nodes=4, chords=4)
    with pytest.raises(UserError, match="from 3 to 26"):
        Paths(nodes=27)
    with pytest.raises(IndexError, match="130 problems in 'test', none with index 130"):
        Paths(split="test").at(130)


def test_it_is_found_by_name():
    assert load_task("paths(chords=3)").name == "paths-26-3"
