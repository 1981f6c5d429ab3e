"""Statements judged by numbers, and claims that could not be tested."""

import math

import pytest

from rlft.errors import UserError
from rlft.evidence.claim import Arm, Claim, Statement, above, below, between, checks
from rlft.evidence.verdict import judged, uneven, verdict
from rlft.methods.grpo import grpo


def runs(**arms):
    return {arm: {seed: {"score": value} for seed, value in enumerate(values)} for arm, values in arms.items()}


def outcome(statement, **arms):
    return judged(statement, runs(**arms))["outcome"]


def test_a_difference_is_paired_by_seed():
    found = judged(Statement("", "score", "a", over="b", least=0.5), runs(a=[1.0, 5.0, 9.0], b=[0.0, 4.1, 8.2]))
    assert found["values"] == pytest.approx([1.0, 0.9, 0.8])
    assert found["mean"] == pytest.approx(0.9)
    assert found["outcome"] == "holds"
    # An arm with more seeds than the other one: those that both have.
    assert judged(Statement("", "score", "a", over="b"), runs(a=[1.0, 5.0, 9.0], b=[0.0, 4.5]))["values"] == [1.0, 0.5]
    assert judged(Statement("", "score", "a", over="b"), runs(a=[1.0, 5.0], b=[0.0, 4.5, 9]))["values"] == [1.0, 0.5]


def test_a_statement_holds_fails_or_is_open_by_its_whole_interval():
    above = Statement("", "score", "a", least=1.0)
    assert outcome(above, a=[1.1, 1.2, 1.3]) == "holds"
    assert outcome(above, a=[0.1, 0.2, 0.3]) == "fails"
    assert outcome(above, a=[0.5, 1.2, 1.9]) == "open"
    within = Statement("", "score", "a", least=-0.1, most=0.1)
    assert outcome(within, a=[0.01, -0.02, 0.03]) == "holds"
    assert outcome(within, a=[0.3, 0.2, 0.4]) == "fails"
    assert outcome(within, a=[-0.3, 0.0, 0.3]) == "open"


def test_one_seed_and_nan_conclude_nothing():
    above = Statement("", "score", "a", least=1.0)
    assert outcome(above, a=[9.0]) == "open"
    assert outcome(above, a=[9.0, math.nan, 9.0]) == "open"


def test_the_verdict_needs_all_and_one_failure_is_enough():
    assert verdict(["holds", "holds"]) == "reproduced"
    assert verdict(["holds", "open"]) == "inconclusive"
    assert verdict(["holds", "open", "fails"]) == "not reproduced"


def test_a_number_nobody_measured_is_said():
    with pytest.raises(UserError, match=r"'speed', which a does not measure; it measures score"):
        judged(Statement("", "speed", "a", least=0), runs(a=[1.0, 2.0]))


def test_arms_that_did_not_spend_alike_are_named():
    spent = {"a": {0: {"cost/updates": 100.0}}, "b": {0: {"cost/updates": 100.9}}, "c": {0: {"cost/updates": 0.0}}}
    assert uneven(["updates"], spent, ["a", "b"]) == []
    assert uneven(["updates"], spent, ["a", "b", "c"]) == ["updates: a 100, b 100.9, c 0"]


def claim(**changed):
    usual = {
        "sentence": "It is better.",
        "source": "Nobody 2026",
        "arms": {"a": Arm("a", {"method": grpo(clip=0.1)}), "b": Arm("b")},
        "metric": "score",
        "statements": (Statement("it is", "score", "a", over="b", least=0.1),),
        "budget": "",
        "scaled_down": "",
        "real": "",
    }
    return Claim(**{**usual, **changed})


def test_statements_in_one_notation():
    """Of the claim's metric unless one is named; what is checked besides has no part in the verdict."""
    said = claim(
        statements=[
            above("p", "a", "b"),
            above("q", "a", least=0.5, of="speed"),
            *checks(below("r", "a", "b", most=-0.1), between("s", "b", least=1, most=2, of="speed")),
        ]
    ).statements
    assert said == (
        Statement("p", "score", "a", "b", least=0.0),
        Statement("q", "speed", "a", None, least=0.5),
        Statement("r", "score", "a", "b", most=-0.1, claimed=False),
        Statement("s", "speed", "b", None, 1, 2, claimed=False),
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"statements": (Statement("x", "score", "c", least=0),)}, "is about 'c', which is not an arm"),
        ({"statements": (Statement("x", "score", "a"),)}, "could not fail"),
        ({"statements": (Statement("x", "score", "a", least=0, claimed=False),)}, "needs a statement that the paper"),
        ({"tuning_seeds": (3, 1000)}, r"seeds \[3\] are tuned and reported"),
        ({"tuning_seeds": (6,), "arms": {"a": Arm("a", seeds=8), "b": Arm("b")}}, r"seeds \[6\] are tuned"),
    ],
)
def test_a_claim_that_cannot_be_tested_is_refused(changed, said):
    with pytest.raises(UserError, match=said):
        claim(**changed)


def test_the_digest_is_that_of_what_decides_and_not_of_words():
    assert claim().digest() == claim(sentence="Put otherwise.", budget="also").digest()
    reworded = Statement("in other words", "score", "a", over="b", least=0.1)
    assert claim(statements=(reworded,)).digest() == claim().digest()
    other = [
        claim(statements=(Statement("it is", "score", "a", over="b", least=0.2),)),
        claim(arms={"a": Arm("a", {"method": grpo(clip=0.2)}), "b": Arm("b")}),
        claim(seeds=6),
        claim(arms={"a": Arm("a", {"method": grpo(clip=0.1)}, seeds=6), "b": Arm("b")}),
        claim(grid={"lr": (1e-3, 1e-4)}),
    ]
    assert len({claim().digest(), *(c.digest() for c in other)}) == 6


def test_the_digest_is_also_that_of_what_arms_do_not_say():
    def recipe(method=grpo(clip=0.2), steps=4, seed=0, runtime=None): ...
    def other_rows(method=grpo(clip=0.2), steps=5, seed=0, runtime=None): ...
    def other_clip(method=grpo(clip=0.3), steps=4, seed=0, runtime=None): ...
    def other_seed(method=grpo(clip=0.2), steps=4, seed=1, runtime=None): ...

    assert claim().digest(other_seed) == claim().digest(recipe)
    assert len({claim().digest(f) for f in (recipe, other_rows, other_clip, None)}) == 4


def test_arguments_that_a_result_could_not_keep_are_refused():
    with pytest.raises(UserError, match="plain values, methods and functions"):
        claim(arms={"a": Arm("a", {"reward": len}), "b": Arm("b")}).digest()
