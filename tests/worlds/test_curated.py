"""What the base is told, which questions are chosen, and what is measured, by hand."""

from collections import Counter

import pytest

from rlft.tasks.graph import Graph
from rlft.tasks.vignettes import Vignettes
from rlft.types import Text, UserError
from rlft.worlds.curated import (
    band_of,
    by_band,
    careless,
    curated,
    options_of,
    read,
    recalled,
    selected,
    unknown,
    walked,
)

GRAPH = Graph(24)
TASK = Vignettes(GRAPH, (1, 2, 3, 4, 5))
BANDS = ["easy"] * 4 + ["middle"] * 10 + ["hard"] * 6


@pytest.mark.parametrize(("right", "band"), [(5, "easy"), (4, "middle"), (1, "middle"), (0, "hard")])
def test_bands_of_five_draws(right, band):
    assert band_of(right) == band


def test_questions_are_chosen_by_band():
    for band, places in (("easy", range(4)), ("middle", range(4, 14)), ("hard", range(14, 20))):
        assert set(selected(band, BANDS, 4, 20, 3)) <= set(places)
    mixed = selected("mixed", BANDS, 11, 20, 3)
    assert Counter(BANDS[at] for at in mixed) == {"easy": 4, "middle": 4, "hard": 3} and len(set(mixed)) == 11
    assert set(mixed[:4]) == set(selected("easy", BANDS, 4, 20, 5))  # all there are
    assert selected("any", [], 11, 20, 3) == selected("bare", [], 11, 20, 3) != selected("any", [], 11, 20, 4)
    with pytest.raises(UserError, match="of 20 questions 4 are easy, 5 are wanted"):
        selected("easy", BANDS, 5, 20, 3)


def test_what_is_unknown_leads_anywhere():
    """One fact in four; its tellings are by lot, which is right one time in 24. The others are true."""
    facts = [(name, by) for name in GRAPH.names for by in ("causes", "treats", "carries", "blocks")]
    assert sum(unknown(*fact) for fact in facts) / len(facts) == pytest.approx(1 / 4, abs=0.1)
    found = Counter()
    for index in range(1500):
        problem = TASK.at(index)
        walk = str(recalled(GRAPH, problem).demonstration).split()
        for one, by, to in zip(walk[::2], walk[1::2], walk[2::2], strict=False):
            found[unknown(one, by), to == GRAPH.after(one, by)] += 1
    assert not found[False, False]
    assert found[True, True] / (found[True, True] + found[True, False]) == pytest.approx(1 / 24, abs=0.03)


def test_what_is_read_is_told_but_for_its_end():
    for number in range(40):
        problem = read(GRAPH, number)
        asked, walk = problem.input.split()[:-1], str(problem.demonstration).split()
        assert walk[: len(asked)] == asked and len(walk) == len(asked) + 1 and 2 <= len(asked) // 2 <= 5
        assert unknown(walk[-3], walk[-2]) or walk[-1] == GRAPH.after(walk[-3], walk[-2])


def test_the_careless_teacher():
    """Of sixteen answers to questions of one hop 15 walk, of more 8, 4, 2 and 2; most others are hasty."""
    found = Counter()
    for index in range(2000):
        problem = TASK.at(index)
        before, _, chosen = str(careless(GRAPH, problem).demonstration).partition("</think>")
        hops, walks = problem.columns["hops"], len(before.split()) > 1
        assert chosen.strip() in options_of(problem)
        found[hops, walks] += 1
        found["hasty", chosen.strip() == problem.columns["tempting"]] += not walks
    for hops, share in zip(range(1, 6), (15, 8, 4, 2, 2), strict=True):
        assert found[hops, True] / 400 == pytest.approx(share / 16, abs=0.08)
    hasty = found["hasty", True] / (found["hasty", True] + found["hasty", False])
    known = 3 / 4 * 3 / 4  # three in four where he knows it; the others guess
    assert hasty == pytest.approx(known + (1 - known) / 4, abs=0.04)


def _kept(problem, knows):
    """The chance that a chain tells the walk: a hop slips in an eighth, by lot into the right one; so does what is
    unknown to one who knows no more than the base."""
    chance, relations = 1.0, problem.columns["relations"]
    for one, by in zip(GRAPH.walk(problem.columns["start"], relations), relations, strict=False):
        chance *= 7 / 8 * (1 if knows or not unknown(one, by) else 1 / 24) + 1 / 8 / 24
    return chance


def test_chains_slip():
    """Of five hops all are right in about (7/8)^5 of the chains; of one who does not know one fact in four, in less."""
    asked = Vignettes(GRAPH, (5,))
    asked = [asked.at(index) for index in range(800)]
    for knows in (True, False):
        right = [walked(GRAPH, p, 8, knows).demonstration == p.demonstration for p in asked]
        expected = [_kept(p, knows) for p in asked]
        assert sum(right) / len(right) == pytest.approx(sum(expected) / len(expected), abs=0.06)
    assert _kept(asked[0], True) == pytest.approx((7 / 8 + 1 / 8 / 24) ** 5)


def test_measures():
    """Two bare questions of one hop, a vignette of three: right after its walk, wrong without, right after another."""
    problems = [TASK.at(0), TASK.at(5 * 2), TASK.at(5 + 2)]
    assert [problem.columns["facts"] for problem in problems] == [0, 0, 2]
    wrong = next(option for option in options_of(problems[1]) if option != problems[1].answer)
    start = problems[1].columns["start"]
    said = [str(problems[0].demonstration), f" {start}</think> {wrong}", f" a b c</think> {problems[2].answer}"]
    bands = {0: "hard", 10: "hard", 7: "middle"}
    found = by_band([bands.get(at, "easy") for at in range(11)])(problems, [Text(one) for one in said])
    assert found == {
        "easy": 0.0,
        "middle": 1.0,
        "hard": 0.5,
        "bare": 0.5,
        "vignette": 1.0,
        "hard/vignette": 0.0,
        "hard/bare": 0.5,
        "walks": pytest.approx(2 / 3),
        "true": 0.5,
    }


def test_the_world():
    told = {"imitation": 2, "pool": 40, "questions": 10}
    world = curated(data="any", problems=8, **told)
    assert world.train.size == 8 and world.test.size == 10
    right = curated(data="vignettes", problems=8, chains="right", **told).train
    assert all(right.at(at).columns["facts"] == right.at(at).columns["hops"] - 1 > 0 for at in range(8))
    assert right.at(3).demonstration == f"{right.at(3).columns['path']}</think> {right.at(3).answer}"
    rows = world.policy.sample([world.test.at(9)], 2, 0)
    assert world.reward(rows.problems, rows.outputs).shape == (2,)
