"""Coverage of a path's words, and what is paid for it, by hand."""

import math

import pytest

from rlft.errors import UserError
from rlft.options.reward import load_reward
from rlft.rewards import choice, combine, path
from rlft.rewards.paths import sameness, thought, words
from rlft.types import Problem

PATH = "Aspirin inhibits COX and COX_makes pain"  # aspirin inhibits cox makes pain, without the stop word
FOUR = Problem(0, "?", "B", {"path": "aspirin inhibits cox pain"})
OTHERS = " one two three four five"


def paid(output, problem=FOUR, **told):
    return path(**told)([problem], [output])["path"].tolist()[0]


@pytest.mark.parametrize(
    ("named", "expected"), [("", 0), ("cox", 0.3), ("cox pain", 0.9), ("cox pain aspirin inhibits", 1.5)]
)
def test_of_four_words(named, expected):
    """1.2 h / 4, and 0.3 more from two words on; five others keep any word from being a third of the thought."""
    assert paid(named + OTHERS) == pytest.approx(expected)


def test_order_does_not_matter_and_no_connection_is_asked_for():
    """A weakness that is the paper's: the path backwards, or in a list, is paid in full."""
    assert paid("pain cox inhibits aspirin") == paid("aspirin inhibits cox pain") == pytest.approx(1.5)
    both = combine({"outcome": choice(right=0.1, wrong=-1.0), "path": path()})
    found = both([FOUR] * 2, ["pain, cox, inhibits, aspirin</think> A", "by heart, plainly</think> B"])
    assert [sum(float(part[row]) for part in found.values()) for row in range(2)] == pytest.approx([0.5, 0.1])


def test_sameness():
    """Half of 4 words: 1 - 3 (0.5 - 0.35) = 0.55; a run of 5 among 20: 1 - 0.05 2 = 0.9."""
    assert sameness(["a", "b", "a", "c"]) == pytest.approx(0.55)
    assert sameness([*"aaaaa", *"bcdefghijklmnop"]) == pytest.approx(0.9)
    assert sameness(["a"] * 10) == 0 and sameness([]) == 1 and sameness([*"abc"]) == 1
    assert paid("cox pain cox aspirin") == pytest.approx((1.2 * 3 / 4 + 0.3) * 0.55)
    assert paid("cox cox cox cox pain") == 0  # 1 - 3 (0.8 - 0.35) is below it


def test_what_is_compared():
    assert words(PATH) == ["aspirin", "inhibits", "cox", "cox", "makes", "pain"]
    assert words("The DRUG's of-it: X2") == ["drug", "s", "x2"]
    assert thought("<think>a b</think> A").split() == ["a", "b"] and thought("a b") == "a b"
    assert paid("COX, Pain!" + OTHERS + "</think> aspirin inhibits") == pytest.approx(0.9)


@pytest.mark.parametrize("held", ["x of y", ["x", "of", "y"], [["x", "of", "y"]], ("x of", "y")])
def test_forms_of_a_path(held):
    told = path(column="way")([Problem(0, "?", None, {"way": held})] * 2, ["x p q r s", "x y p q r"])
    assert told["path"].tolist() == pytest.approx([0.6, 1.5])
    assert told.watch["covered"].tolist() == [0.5, 1.0] and told.watch["named"].tolist() == [2.5, 2.5]


def test_what_cannot_be_scored():
    told = path()([Problem(0, "?"), Problem(1, "?", None, {"path": "of the"})], ["a", "b"])
    assert all(math.isnan(value) for value in told["path"].tolist())
    with pytest.raises(UserError, match="not negative"):
        path(most=-1.0)


def test_named_on_the_command_line():
    reward = load_reward("path(column='path', share=1.0, bonus=0.5, least=1, most=1.2)")
    assert reward([FOUR] * 2, ["cox" + OTHERS, "aspirin inhibits cox pain"])["path"].tolist() == pytest.approx(
        [0.75, 1.2]
    )
    assert reward.explain(FOUR, "cox").startswith("1 of 4 words of the path: cox; rho")
