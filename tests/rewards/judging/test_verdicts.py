"""What is read in a judge's reply, and what is not."""

import pytest

from rlft.errors import UserError
from rlft.rewards.judging.verdicts import Reading


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Score: 7", 7.0),
        ("The answer is right.\n**Score:** 8.5", 8.5),
        ("score = 3. Well done.", 3.0),
        ("It said 'Score: 10', but it is wrong. Score: 2", 2.0),
        ("Score: 8/10", 8.0),
        ("Its score is 4", 4.0),
        ("SCORE: `6`", 6.0),
        ("Score: 11", None),
        ("Score: -1", None),
        ("Score: 7e5", None),
        ("Score: 3-5", None),
        ("Score: 3 – 5", None),
        ("Score: 1.5.2", None),
        ("Score: seven", None),
        ("7", None),
        ("", None),
        ("underscore: 5", None),
        ("<think>Score: 9</think>Score: 1", 1.0),
        ("<think>Score: 9</think>", None),
        ("<think>Score: 9", None),
    ],
)
def test_scores(reply, value):
    assert Reading("score", 0.0, 10.0).of(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (r"so \boxed{0} or rather \boxed{1}", 1.0),
        (r"\boxed{ yes }", 1.0),
        (r"\boxed{No}", 0.0),
        (r"\boxed{0.5}", 0.5),
        (r"\boxed{2}", None),
        (r"\boxed{perhaps}", None),
        ("boxed{1}", None),
    ],
)
def test_boxes(reply, value):
    assert Reading("boxed").of(reply) == value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Yes", 1.0),
        ("NO.", 0.0),
        ("Yes, because 4 is four.", 1.0),
        ("Both are four, so my verdict is **yes**.", 1.0),
        ("No, it is not; I would not say yes", None),
        ("I know nothing", None),
        ("Yes, yes", 1.0),
        ("yesterday", None),
    ],
)
def test_yes_and_no(reply, value):
    assert Reading("yes").of(reply) == value


def test_a_pattern_of_ones_own():
    reading = Reading(r"grade:\s*(\w+)", 0.0, 5.0)
    assert reading.of("Grade: 2 … grade: 4") == 4.0
    assert reading.of("grade: yes") == 1.0
    assert reading.of("grade: B") is None


@pytest.mark.parametrize("form", ["grade", r"(\d)(\d)", "(", "last"])
def test_what_is_no_pattern_is_refused(form):
    with pytest.raises(UserError, match="reads="):
        Reading(form)


def test_a_range_has_two_ends():
    with pytest.raises(UserError, match="least"):
        Reading("score", 1.0, 1.0)
