"""What things in pictures are worth: what is right, in which words, and what a guess is worth."""

from collections import Counter

import pytest

from rlft.models.small_language import word_tokenizer
from rlft.tasks.priced import ANSWERS, NAMES, PRICE_WORDS, QUESTION, price, priced, worth
from rlft.tasks.shapes import Shapes


@pytest.fixture(scope="module")
def problems():
    return [Shapes("priced", priced()).at(index) for index in range(1600)]


def test_what_things_are_worth():
    assert worth(["green disc", "yellow square"]) == (1 + 1) + (3 + 0)
    assert worth(["blue cross", "blue cross"]) == 8 and worth(["red square"]) == worth([]) == 0
    assert price("blue") == 2 and price("plus") == 0 and worth(["yellow"]) == 3
    assert max(worth([" ".join(name)] * 4) for name in NAMES) == 20


def test_answers_are_right_and_in_words(problems):
    tokenizer = word_tokenizer(PRICE_WORDS)
    for problem in problems[:200]:
        held = [one["label"] for one in problem.columns["things"]]
        assert problem.answer == str(worth(held)) and problem.columns["question"] == QUESTION
        assert 2 <= len(held) <= 4 and {tuple(name.split()) for name in held} <= set(NAMES)
        for said in (QUESTION, problem.answer, *(f" {name}" for name in held)):
            assert tokenizer.decode(tokenizer(said)["input_ids"], skip_special_tokens=True) == said


def test_who_does_not_look_is_right_one_time_in_eight(problems):
    """All that is asked is one question, so a blind answer is one and the same."""
    answers = Counter(problem.answer for problem in problems)
    assert set(answers) == {str(number) for number in ANSWERS} and len(ANSWERS) == 8
    assert max(answers.values()) < 1.25 * len(problems) / 8 and min(answers.values()) > 0.75 * len(problems) / 8
