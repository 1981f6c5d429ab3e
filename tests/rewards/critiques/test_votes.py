"""What a critique says, and what several come to."""

import itertools

import pytest

from rlft.errors import UserError
from rlft.rewards.critiques.votes import RULES, Listed, shares


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Step 2 adds wrongly.\n\nWrong steps: 2, 5", {2, 5}),
        ("**Wrong steps:** none", set()),
        ("Wrong steps: None.", set()),
        ("wrong step: 3", {3}),
        ("Wrong steps: 1, 2 and 4.", {1, 2, 4}),
        ("Wrong steps: [2, 3]", {2, 3}),
        ("Wrong steps: 1\nOn second thought.\nWrong steps: 4", {4}),
        ("<think>Wrong steps: 1</think>Wrong steps: 2", {2}),
        ("<think>Wrong steps: 1", None),
        ("Wrong steps: 6", None),
        ("Wrong steps: 0", None),
        ("I cannot judge this.", None),
        ("", None),
    ],
)
def test_reading(reply, expected):
    assert Listed().wrong(reply, 5) == (None if expected is None else frozenset(expected))


def test_reading_by_a_pattern():
    assert Listed(r"^(-|[\d,]+)$").wrong("2,3", 3) == {2, 3}
    assert Listed(r"^(-|[\d,]+)$").wrong("-", 3) == frozenset()
    assert Listed().of("Wrong steps: 2, 5") == 2.0 and Listed().of("no idea") is None
    for wrong in ("wrong: [", "wrong", "(a)(b)"):
        with pytest.raises(UserError, match="reads="):
            Listed(wrong)


VOTES = [frozenset({1, 2}), None, frozenset({2}), frozenset({2, 3}), frozenset({2, 3})]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("intersection", [0, 1, 0, 0]),
        ("majority", [0, 1, 0, 0]),
        ("average", [0.25, 1, 0.5, 0]),
        ("union", [1, 1, 1, 0]),
    ],
)
def test_rules(rule, expected):
    """Of four critiques that can be read; half of them are no majority."""
    assert shares(VOTES, 4, rule) == expected
    assert shares([None, None], 2, rule) == [0, 0]
    assert shares([*VOTES[:1], None], 2, rule) == [1, 1]


def test_a_majority_is_more_than_half():
    assert shares([frozenset({1}), frozenset({1}), frozenset()], 1, "majority") == [1]
    with pytest.raises(UserError, match="rule='all'"):
        shares([], 1, "all")


def test_what_independent_critics_come_to():
    """By enumeration of three critics with false positives f and misses m: f^n and 1 - (1 - m)^n, and for the union the
    other way round."""
    f, m = 0.3, 0.2
    for rule, expected in (("intersection", (f**3, 1 - (1 - m) ** 3)), ("union", (1 - (1 - f) ** 3, m**3))):
        blamed = {"right": 0.0, "wrong": 0.0}
        for votes in itertools.product((0, 1), repeat=3):
            share = shares([frozenset({1}) if vote else frozenset() for vote in votes], 1, rule)[0]
            for kind, p in (("right", f), ("wrong", 1 - m)):
                chance = 1.0
                for vote in votes:
                    chance *= p if vote else 1 - p
                blamed[kind] += chance * share
        assert blamed["right"] == pytest.approx(expected[0]) and 1 - blamed["wrong"] == pytest.approx(expected[1])
    assert set(RULES) == {"intersection", "majority", "average", "union"}
