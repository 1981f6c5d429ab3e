"""Rewards of text: hand-made cases, and the edit distance against the textbook's table."""

import random

import pytest
import torch

from rlft.rewards import choice, exact, format, regex, similarity
from rlft.rewards.text import levenshtein
from rlft.types import Problem, Text, UserError

nan = float("nan")


def scores(reward, pairs):
    """The rewards of (answer, completion) pairs."""
    problems = [Problem(index=i, input="?", answer=answer) for i, (answer, _) in enumerate(pairs)]
    result = reward(problems, [Text(output) for _, output in pairs])
    assert result.dtype == torch.float32
    return result.tolist()


def test_exact():
    pairs = [("yes", " yes\n"), ("yes", "Yes"), (19, "19"), ("yes", "no"), (None, "")]
    assert scores(exact(), pairs) == pytest.approx([1, 0, 1, 0, nan], nan_ok=True)
    assert scores(exact(strip=False), pairs[:2]) == [0, 0]
    assert scores(exact(case=False), pairs[:2]) == [1, 1]


@pytest.mark.parametrize(
    "output",
    ["B", "b", "(b)", "B. Paris", "**B**", "B) Paris, because", r"\boxed{B}", r"A? No: \boxed{\text{B}}", "#### B",
     "I doubt A. The answer is (B).", "Answer: B", "<answer> b </answer>", "It is not (A), it is (B) after all",
     "A train leaves. So I choose B.", "Between A and C lies\nB", "answer: **b**"],
)  # fmt: skip
def test_choice_is_found(output):
    assert scores(choice(), [("B", output), ("(B)", output), ("B. Paris", output), ("C", output)]) == [1, 1, 1, 0]


@pytest.mark.parametrize("output", ["", "A train leaves at noon", "Because", "I would say", "The answer is Paris"])
def test_no_choice(output):
    assert scores(choice(), [(letter, output) for letter in "ABCD"]) == [0, 0, 0, 0]


def test_choice_without_a_gold_letter():
    assert scores(choice("AB"), [("C", "C"), (None, "A"), ("A", "A")]) == pytest.approx([nan, nan, 1], nan_ok=True)
    with pytest.raises(UserError, match="different letters"):
        choice("AAB")


def test_format_is_of_all_and_regex_of_a_part():
    good = "<think>1\n2</think>\n<answer>3</answer>"
    pairs = [(None, good), (None, f" {good}\n"), (None, f"so {good}"), (None, f"{good} so")]
    assert scores(format(), pairs) == [1, 1, 0, 0]
    assert scores(regex(r"<answer>\d</answer>"), pairs) == [1, 1, 1, 1]
    assert scores(regex("1.2.*so$"), pairs) == [0, 0, 0, 1]
    with pytest.raises(UserError, match="not a regular expression"):
        regex("(")


def test_similarity():
    # kitten -> sitting: two substitutions and an insertion, 3 of 7
    pairs = [("sitting", "kitten"), ("a b c", "a x c d"), ("same", "same "), ("", ""), ("abc", ""), (None, "x")]
    assert scores(similarity(), pairs[:1]) == pytest.approx([4 / 7])
    assert scores(similarity(unit="words"), pairs[1:2]) == [0.5]
    assert scores(similarity(), pairs[2:]) == pytest.approx([1, 1, 0, nan], nan_ok=True)
    with pytest.raises(UserError, match="tokens"):
        similarity(unit="tokens")


def test_levenshtein_is_that_of_the_table():
    def table(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            last, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
        return row[-1]

    draw, seen = random.Random(3), set()
    for _ in range(300):
        a, b = ([draw.choice("abc") for _ in range(draw.randrange(90))] for _ in range(2))
        assert levenshtein(a, b) == table(a, b)
        seen.add(table(a, b))
    assert len(seen) > 30
