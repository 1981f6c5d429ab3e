"""Critics with blind spots, a judge who likes length, revisers, and what a filter of preferences keeps."""

import random

import pytest

from rlft.metrics.critiques import found as compared
from rlft.metrics.critiques import together, union_recall
from rlft.recipes.multicritique import CLAIM, on_the_way
from rlft.tasks.flawed import KINDS, Flawed, errors, written
from rlft.types import Problem, Text
from rlft.worlds.multicritical import (
    BREAKS,
    FOLLOWS,
    SEES,
    TAKES_FALSE,
    TAKES_TRUE,
    counts,
    criticism,
    critique,
    preferences,
    reading,
    revised,
    scored,
    severity,
    shown_of,
    takes,
)

PROBLEMS = [Flawed().at(index) for index in range(1000)]


def quality(shown):
    return together([compared(shown_of(problem, shown, 0), errors(problem)) for problem in PROBLEMS])


def test_a_union_misses_what_all_miss():
    """1 - the product of the critics' chances to miss, of each kind; a blind critic sees as often as is said."""
    for kind in KINDS:
        true = [(p, unit) for p in PROBLEMS for unit in errors(p) if unit[1] == kind]
        for who, sees in enumerate(SEES):
            share = sum(unit in critique(p, who, 0) for p, unit in true) / len(true)
            # three standard errors of the hundred-odd units of a kind
            assert share == pytest.approx(sees[kind], abs=0.15)
        union = sum(unit in shown_of(p, "union", 0) for p, unit in true) / len(true)
        assert union == pytest.approx(union_recall([1 - sees[kind] for sees in SEES]), abs=0.02)


def test_what_is_put_together_is_better_than_any_one():
    found = {shown: quality(shown) for shown in ("first", "fourth", "union", "backed", "filtered", "truth")}
    assert found["truth"].f1 == 1
    assert found["union"].recall > 0.97 and found["union"].precision < 0.6
    assert found["filtered"].f1 > found["first"].f1 + 0.05 > found["fourth"].f1 + 0.05


def test_the_meta_critic_takes_what_his_chances_say_and_likes_length():
    said = [(p, unit) for p in PROBLEMS for unit in shown_of(p, "union", 0)]
    for true, chance in ((True, TAKES_TRUE), (False, TAKES_FALSE)):
        own = [takes(p, unit, 0) for p, unit in said if (unit in errors(p)) == true]
        assert sum(own) / len(own) == pytest.approx(chance, abs=0.04)
    problem, all_ = PROBLEMS[0], [(place, kind) for place in "123" for kind in KINDS]
    worths = [severity(problem, frozenset(all_[:count]), 0) for count in range(10)]
    assert worths == sorted(worths) and worths[0] == 0


def test_revisions_are_as_good_as_what_they_are_told():
    """Nothing said mends nothing; the truth mends by how well each follows; blame breaks every second right piece."""
    asked = "1rgsstt2ggmmqq3bbssoq="
    problem = Problem(0, asked, columns={"units": (("1", "C"), ("3", "F"))})
    truth, every = errors(problem), frozenset((place, "S") for place in "123")
    told = {name: revised(problem, said, 2000, random.Random(0)) for name, said in (("none", frozenset()),)}
    told |= {
        "truth": revised(problem, truth, 2000, random.Random(1)),
        "false": revised(problem, every, 2000, random.Random(2)),
    }
    means = {name: sum(scores) / len(scores) for name, scores in told.items()}
    assert len(told["none"]) == 2000 * len(FOLLOWS)
    assert means["none"] == pytest.approx(1 / 3, abs=0.02)
    assert means["truth"] == pytest.approx(1 / 3 + 2 / 3 * sum(FOLLOWS) / len(FOLLOWS), abs=0.02)
    assert means["false"] == pytest.approx(1 / 3 * (1 - BREAKS), abs=0.02)


def test_more_revisions_keep_fewer_wrong_labels():
    found = {n: preferences("judge", n, 400, 3) for n in (0, 1, 8)}
    noise = [counts["pairs/noise"] for _, counts in found.values()]
    assert noise[0] > noise[1] + 0.05 > noise[2] + 0.05
    assert found[0][1]["pairs/kept"] == 1 and 0.4 < found[8][1]["pairs/kept"] < 0.9
    assert preferences("truth", 0, 200, 3)[1]["pairs/noise"] == 0
    assert preferences("lot", 0, 400, 3)[1]["pairs/before"] == pytest.approx(0.27, abs=0.06)
    pair = found[8][0][0]
    assert pair.chosen != pair.rejected and pair.prompt.endswith("=")
    assert found[8][0] != preferences("judge", 8, 400, 4)[0]


def test_the_measure():
    problem = PROBLEMS[0]
    truth = errors(problem)
    one = written(problem.input, truth | {("1", "C"), ("1", "S")})
    said = criticism([problem, problem], [Text(one, (0,)), Text("no", (0,))])
    extra = len({("1", "C"), ("1", "S")} - truth)
    assert said["unread"] == 0.5 and said["accused"] == extra / 2 and said["said"] == (len(truth) + extra) / 2


def test_how_a_run_went():
    first, last = {"reward": 0.5, "believed": 1.0}, {"reward": 0.25, "believed": 3.0}
    assert on_the_way([], [first, last]) == {"grown": -0.25, "believed/grown": 2.0}
    assert on_the_way([], [{"reward": 0.5}]) == {"grown": 0.0}
    assert len(CLAIM.arms) == 12


def test_a_linear_reward_model_learns_what_it_is_shown():
    """From right labels, and from borne-out ones, which blame is right; from the judge's, that more is better."""
    pairs, _ = preferences("truth", 0, 200, 77)
    right = {}
    for labels, revisions in (("judge", 0), ("judge", 8)):
        weights = reading(preferences(labels, revisions, 500, 1)[0], 8)
        gaps = (counts([pair.chosen for pair in pairs]) - counts([pair.rejected for pair in pairs])) @ weights
        right[revisions] = float((gaps > 0).float().mean())
    assert right[8] > 0.85 and right[8] > right[0] + 0.1


def test_what_is_no_critique_is_scored_below_all():
    one = Problem(0, "")
    weights = reading(preferences("truth", 0, 60, 1)[0], 2)
    said = "1rgCss.tt.2gg.mm.qq.3bb.ss.oqF"
    told = scored(weights)([one, one], [said, "no"])["score"]
    assert told[0].item() == pytest.approx(float(counts([said])[0] @ weights)) and told[1] < told[0]
    assert counts([said]).sum() == 9
