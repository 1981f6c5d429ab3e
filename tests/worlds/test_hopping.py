"""A careless teacher of questions of several hops, what pays, and what is measured, by hand."""

from collections import Counter

import pytest

from rlft.tasks.graph import RELATIONS, Graph, Hops
from rlft.types import Text
from rlft.worlds.hopping import by_hops, careless, hopping, in_another_order, rewarded, walking

GRAPH = Graph(24)
TASK = Hops(GRAPH, (1, 2, 3, 4, 5))
THREE = TASK.at(2)
PATH, RIGHT = THREE.columns["path"], THREE.answer
OTHER = next(name for name in THREE.input.split("?")[1].split() if name != RIGHT)


def total(paid, output):
    found = rewarded(paid)([THREE], [output])
    return sum(float(part[0]) for part in found.values()) if isinstance(found, dict) else float(found[0])


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ("outcome", [0.1, -1.0, 0.1]),
        ("path", [1.5, 1.5, 0.0]),
        ("both", [1.6, 0.5, 0.1]),
        ("gated", [1.6, -1.0, 0.1]),
    ],
)
def test_what_pays(paid, expected):
    """The whole path with the option, with another, and nothing thought: wrong with the path above right without."""
    outputs = [f"{PATH}</think> {RIGHT}", f"{PATH}</think> {OTHER}", f" zzz</think> {RIGHT}"]
    assert [total(paid, output) for output in outputs] == pytest.approx(expected)


def test_the_teacher():
    """Six answers in sixteen walk, of three hops three; one hop in sixteen leads where another relation would; a guess
    is right one time in four."""
    found = Counter()
    asked = Hops(GRAPH, (1, 2, 3))
    for index in range(900):
        problem = asked.at(index)
        said = str(careless(GRAPH, problem).demonstration)
        before, _, chosen = said.partition("</think>")
        words, option = before.split(), chosen.strip()
        assert option in problem.input.split("?")[1].split()
        found[f"walks {index % 3}", len(words) > 1] += 1
        if len(words) == 1:
            found["guess", option == problem.answer] += 1
            continue
        assert words[1::2] == list(problem.columns["relations"])
        for one, by, to in zip(words, words[1:], words[2:], strict=False):
            if by in RELATIONS:
                found["hop", to == GRAPH.after(one, by)] += 1
        if words[-1] == GRAPH.walk(problem.columns["start"], problem.columns["relations"])[-1]:
            assert option == problem.answer
    for hops, share in enumerate((6 / 16, 6 / 16, 3 / 16)):
        assert found[f"walks {hops}", True] / 300 == pytest.approx(share, abs=0.1)
    assert found["guess", True] / (found["guess", True] + found["guess", False]) == pytest.approx(1 / 4, abs=0.06)
    assert found["hop", False] / (found["hop", True] + found["hop", False]) == pytest.approx(1 / 16, abs=0.03)
    walk = walking(THREE)
    assert walk.input == f" {' '.join([THREE.columns['start'], *THREE.columns['relations']])} ="
    assert walk.demonstration == PATH


def test_measures():
    """The path; its words backwards; a part of it; each of three hops, right, wrong, right."""
    backwards = " " + " ".join(reversed(PATH.split()))
    part = " " + " ".join(PATH.split()[:3])
    outputs = [Text(f"{one}</think> {said}") for one, said in ((PATH, RIGHT), (backwards, OTHER), (part, RIGHT))]
    found = by_hops(GRAPH)([THREE] * 3, outputs)
    assert found["near"] == found["hops-3"] == pytest.approx(2 / 3) and "far" not in found
    assert found["connected"] == found["spelled"] == pytest.approx(1 / 3) and found["ignored"] == 0
    assert by_hops(GRAPH)([THREE], [Text(f"{PATH}</think> {OTHER}")])["ignored"] == 1
    wanted = len(set(PATH.split()))
    assert found["covered"] == pytest.approx((2 + 3 / wanted) / 3)
    assert found["words"] == pytest.approx((7 + 7 + 3) / wanted / 3)
    assert found["hops"] == pytest.approx((3 + 0 + 1) / 9, abs=0.01)


def test_the_world():
    world = hopping(imitation=2, questions=10)
    assert [world.test.at(i).columns["hops"] for i in range(5)] == [1, 2, 3, 4, 5]
    assert {world.train.at(i).columns["hops"] for i in range(9)} == {1, 2, 3}
    rows = world.policy.sample([world.test.at(9)], 2, 0)
    assert world.reward(rows.problems, rows.outputs).keys() == {"outcome", "path"}
    assert 0 <= in_another_order(world.test, 4)(world.policy)["reordered"] <= 1
