"""Films of moving shapes: chance, oracle, levels, splits, views of any density, and what the pixels show."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from rlft.rewards.text import choice
from rlft.tasks.films import frames_of, viewed
from rlft.tasks.moving_shapes import (
    ACTS,
    CHANCE,
    ENVIRONMENTS,
    HOBBY,
    KITCHEN,
    LETTERS,
    PLANS,
    Act,
    Clip,
    Frame,
    Mover,
    MovingShapes,
)
from rlft.types import Text, UserError

LEVELS = ("L1", "L2", "L3")
STILL = (Mover(0, 5, ((0, 4.0, 12.0), (63, 12.0, 4.0))),)


def problems(count=400, **told):
    task = MovingShapes(**told)
    return [task.at(index) for index in range(count)]


@pytest.mark.parametrize("level", LEVELS)
def test_letters_and_acts_are_balanced_and_the_oracle_is_right(level):
    found = problems(level=level)
    for letter in LETTERS:
        assert abs(sum(one.answer == letter for one in found) / 400 - CHANCE) < 0.08
    for one in found:
        columns = one.columns
        assert PLANS[columns["plan"]][columns["done"]] == columns["options"][one.answer]
        assert [name for name, _, _ in columns["acts"]] == list(PLANS[columns["plan"]][: columns["done"]])
    outputs = [Text(f"<answer>{one.answer}</answer>") for one in found]
    assert choice()(found, outputs).tolist() == [1.0] * 400


@pytest.mark.parametrize("plans", [KITCHEN, HOBBY])
def test_who_does_not_see_the_film_can_only_guess(plans):
    """Of every kind each act stands once at each place, so neither plan nor options tell what is next."""
    for place in range(len(ACTS)):
        assert sorted(order[place] for order in plans.values()) == sorted(ACTS)
    found = problems(600, level="L1" if plans is KITCHEN else "L3")
    by_plan = Counter((one.columns["plan"], one.columns["options"][one.answer]) for one in found)
    assert max(by_plan.values()) / 600 < 2.2 * CHANCE / 4  # each of 16 pairs is as likely


def test_levels_differ_in_environment_and_plan():
    told = {level: problems(200, level=level) for level in LEVELS}
    places = {level: {one.columns["environment"] for one in found} for level, found in told.items()}
    assert places["L1"] == {"wood"} and places["L2"] == places["L3"] == {"slate", "moss"}
    plans = {level: {one.columns["plan"] for one in found} for level, found in told.items()}
    assert plans["L1"] == plans["L2"] == set(KITCHEN) and plans["L3"] == set(HOBBY)


def test_no_film_is_in_two_splits_and_the_seed_decides_every_pixel():
    whole = {split: [one.input.whole for one in problems(60, split=split)] for split in ("train", "test")}
    clips = {split: [one.input[0]["content"][0]["video"] for one in found] for split, found in whole.items()}
    prints = {split: {clip.content for clip in found} for split, found in clips.items()}
    assert not prints["train"] & prints["test"] and len(prints["train"]) == 60
    again = MovingShapes().at(3).input.whole.input[0]["content"][0]["video"]
    assert np.array_equal(again.picture(11), clips["train"][3].picture(11))


def frames(problem):
    """The pictures by their times."""
    pairs = pairwise(problem.input[0]["content"])
    return {time["text"]: picture["image"] for time, picture in pairs if picture["type"] == "image"}


def test_a_denser_view_is_of_the_same_film_and_draws_no_other_frame():
    problem = MovingShapes(frames=4, length=2048, evidence=0.05).at(0)
    assert frames_of(problem) == 4
    denser = viewed(problem, 7)
    one, two = map(frames, (problem, denser))
    assert len(one) == 4 and len(two) == 7 and {"0.0s", "255.9s"} <= set(one) & set(two)
    assert all(np.array_equal(one[time], two[time]) for time in set(one) & set(two))


def test_what_an_act_looks_like():
    """A square of five pixels in the middle of 16: flashing it is white, dim it is nearly black, a ring is hollow."""
    clips = {
        name: Clip(64, ENVIRONMENTS[0], (Mover(0, 5, ((0, 8.0, 8.0), (63, 8.0, 8.0))),), (Act(name, 8, 16),), 0.0)
        for name in ACTS
    }
    colour, ground = ENVIRONMENTS[0].colours[0], ENVIRONMENTS[0].ground
    for name, clip in clips.items():
        assert tuple(clip.picture(7)[8, 8]) == tuple(clip.picture(16)[8, 8]) == colour  # before and after
        assert clip.doing(8) == name and clip.doing(16) is None
    assert tuple(clips["flash"].picture(10)[8, 8]) == (250, 250, 250)
    assert tuple(clips["dim"].picture(10)[8, 8]) == tuple(int(0.15 * one) for one in colour)
    assert tuple(clips["grow"].picture(10)[4, 8]) == colour and tuple(clips["grow"].picture(7)[4, 8]) == ground
    assert tuple(clips["ring"].picture(10)[8, 8]) == ground and tuple(clips["ring"].picture(10)[4, 8]) == colour


def test_where_things_are_between_turning_points():
    assert STILL[0].at(0) == (4, 12) and STILL[0].at(63) == (12, 4)
    assert STILL[0].at(21) == pytest.approx((4 + 8 / 3, 12 - 8 / 3))
    clip = Clip(64, ENVIRONMENTS[1], STILL, (Act("ring", 0, 30),))
    assert Frame(clip, 5).told().tolist() == [[3, 2, 1]] and Frame(clip, 60).told().tolist() == [[0, 1, 1]]
    with pytest.raises(IndexError):
        clip.picture(64)


@pytest.mark.parametrize(
    "told", [{"level": "L4"}, {"length": 8}, {"evidence": 0.5}, {"frames": 99}, {"split": "x"}, {"answer": "number"}]
)
def test_what_is_no_film(told):
    with pytest.raises(UserError):
        MovingShapes(**told)


@pytest.mark.parametrize("level", LEVELS)
def test_the_answer_as_a_word(level):
    """The same film, plan and act; nothing is listed, and every act is right as often."""
    lettered, worded = problems(level=level), problems(level=level, answer="word")
    for one, other in zip(lettered, worded, strict=True):
        assert other.answer == one.columns["options"][one.answer] and other.columns == one.columns
        assert other.input[0]["content"][-1]["text"] == f"{one.columns['plan']}, next?"
    assert max(Counter(one.answer for one in worded).values()) / 400 < CHANCE + 0.08


def test_a_word_that_begins_with_the_letter_is_not_the_letter():
    (problem,) = [one for one in problems(20) if one.answer == "A"][:1]
    said = ["A", "A. flash", "Apple", "<answer>Apple</answer>", "<answer>A</answer>"]
    assert choice()([problem] * 5, [*map(Text, said)]).tolist() == [1, 1, 0, 0, 1]
