"""A faulty writer, validators with known chances, quotas of topics, and what a filter keeps."""

import pytest
import torch

from rlft.recipes.chimera import CLAIM, chimera
from rlft.synthesis.validation import bad_share
from rlft.tasks.chains import totals
from rlft.types import Problem, UserError
from rlft.worlds.synthesised import (
    ILL,
    KNOWN,
    TOPICS,
    WRONG,
    Questions,
    Shown,
    by_topic,
    chain_of,
    quotas,
    takes,
    verdicts,
    written,
)

MANY = [(topic, number) for topic in TOPICS for number in range(250)]


def test_what_the_writer_gets_wrong():
    """Fifteen in a hundred have no number to add, fifteen slip once and go on from there; the others are right."""
    made = [written(topic, number, seed=3) for topic, number in MANY]
    ill = [one for one, _ in made if "?" in one.problem]
    wrong = [one for one, good in made if not good and "?" not in one.problem]
    assert len(ill) / len(made) == pytest.approx(ILL / 100, abs=0.02)
    assert len(wrong) / len(made) == pytest.approx(WRONG / 100, abs=0.02)
    for one, good in made:
        assert good == ("?" not in one.problem and one.answer == totals(chain_of(one)))
        assert len(one.problem) == 10 and len(one.answer) == int(one.topic[1][0])
    assert made != [written(topic, number, seed=4) for topic, number in MANY]


def test_validators_take_what_their_chances_say():
    """Ill-posed and wrong ones where they trust, good ones where they also make no slip; two names, two minds."""
    made = [written(topic, number, seed=0) for topic, number in MANY]
    said = {name: [verdicts(one, [name], 0)[0].takes for one, _ in made] for name in "AB"}
    kinds = {
        "ill": lambda one, good: "?" in one.problem,
        "wrong": lambda one, good: not good and "?" not in one.problem,
    }
    kinds["good"] = lambda one, good: good
    for name in "AB":
        for (kind, is_one), chance in zip(kinds.items(), takes(), strict=True):
            own = [took for took, (one, good) in zip(said[name], made, strict=True) if is_one(one, good)]
            assert sum(own) / len(own) == pytest.approx(chance, abs=0.05), (name, kind)
    bad = [number for number, (_, good) in enumerate(made) if not good]
    both = sum(said["A"][n] and said["B"][n] for n in bad) / len(bad)
    assert both == pytest.approx(0.16, abs=0.04)  # 0.4 squared: they err apart
    assert [v.takes for v in verdicts(made[0][0], ["A", "A"], 0)] == [said["A"][0]] * 2


@pytest.mark.parametrize(("kept_by", "who"), [("none", 0), ("one", 1), ("two", 2), ("three", 3)])
def test_what_is_kept_is_as_good_as_the_formula_says(kept_by, who):
    """In the mean over seeds, as the share of bad ones that independent validators let through."""
    shares = [1 - Shown(kept_by, 480, 0.0, seed).counts["data/precision"] for seed in range(6)]
    ill, _, good = takes()
    assert sum(shares) / 6 == pytest.approx(bad_share(0.3, [ill] * who, [good] * who), abs=0.015)


def test_two_of_one_mind_are_one_and_who_knows_keeps_the_good_alone():
    assert Shown("twins", 96, 0.0, 1).counts == Shown("one", 96, 0.0, 1).counts
    known = Shown("oracle", 96, 0.0, 1).counts
    assert (known["data/precision"], known["data/recall"], known["data/ill"]) == (1, 1, 0)
    shown = Shown("two", 96, 0.0, 1)
    problems = [shown.at(index) for index in range(96)]
    assert len({(p.input, p.answer, p.columns["topic"]) for p in problems}) <= 96
    assert sorted(p.columns["topic"] for p in problems) == sorted(t for t in range(12) for _ in range(8))


def test_quotas():
    even, liked = quotas(480, 0.0), quotas(480, 1.0)
    assert set(even.values()) == {40} and sum(liked.values()) == 480
    ranked = sorted(liked.values(), reverse=True)
    assert ranked[0] == pytest.approx(480 / sum(1 / k for k in range(1, 13)), abs=1)
    assert ranked[0] == pytest.approx(12 * ranked[-1], abs=12)
    with pytest.raises(UserError, match="no multiple"):
        quotas(7919, 0.0)


def test_held_out_questions_are_of_all_topics_and_not_the_writers():
    test, train = Questions("test", 240), {written(topic, n, 0)[0].problem for topic, n in MANY}
    asked = [test.at(index) for index in range(240)]
    assert not train & {str(p.input) for p in asked}
    assert [p.columns["topic"] for p in asked[:13]] == [*range(12), 0]
    assert all(test.reward([p], [p.answer])[0] == 1 for p in asked)
    with pytest.raises(IndexError):
        test.at(240)


def test_accuracy_by_topic():
    problems = [Problem(i, "", "1", {"topic": i}, "t", "test") for i in range(12)]
    measure = by_topic(lambda problems, outputs: torch.tensor([float(o) for o in outputs]))
    known = {TOPICS.index(topic) for topic in KNOWN}
    found = measure(problems, [str(int(i in known)) for i in range(12)])
    assert (found["known"], found["new"]) == (1, 0) and 0 <= found["rare"] <= 1 and len(known) == 6


def test_the_stages():
    """Imitation of 64 rows a step; what comes after it begins with its model, and has the run's own method."""
    small = {"imitation": 2, "count": 24, "questions": 12}
    alone = chimera(**small, steps=3).trainer.stages
    assert [(stage.name, stage.steps, stage.numbers["prompts"], stage.method.name) for stage in alone] == [
        ("sft", 3, 64, "sft")
    ]
    sft, after = chimera(**small, **CLAIM.arms["rl"].arguments, lr=2e-4).trainer.stages
    assert (sft.steps, sft.numbers["prompts"], sft.numbers["group"], sft.numbers["lr"]) == (200, 64, 1, 2e-3)
    assert (after.parent, after.method.name, after.steps, after.numbers["lr"]) == ("sft", "grpo", 60, 2e-4)
