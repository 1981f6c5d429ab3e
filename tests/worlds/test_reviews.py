"""The language of reviews: its moods, its reward, its questions."""

import math

import pytest
import torch

from rlft.types import Problem
from rlft.worlds.reviews import ANSWER, BAD, GOOD, PLAIN, Reviews, asked, goodness, review, second_line


def test_the_second_line_keeps_the_mood_and_repeats():
    def lines(keeps):
        pairs = []
        for draw in range(2000):
            problem = review(keeps, draw)
            first, rest = problem.answer.split("/")
            assert rest.startswith(problem.input) and len(first) == len(rest) - 3 == ANSWER
            pairs.append((first, rest[3:]))
        return pairs

    def share(text, letters):
        return sum(letter in letters for letter in text) / len(text)

    for keeps, same, linked in ((0.9, 0.53, True), (0.0, 0.13, False)):
        pairs = lines(keeps)
        repeated = sum(a == b for one, two in pairs for a, b in zip(one, two, strict=True)) / (2000 * ANSWER)
        assert repeated == pytest.approx(same, abs=0.04)
        first, second = (torch.tensor([share(line, GOOD) for line in side]) for side in zip(*pairs, strict=True))
        assert (float(torch.corrcoef(torch.stack([first, second]))[0, 1]) > 0.5) == linked
        assert float(first.mean()) == pytest.approx(0.3 * 0.45 + 0.7 * 0.1, abs=0.02)
    assert set(asked(5)) <= set(PLAIN) and not set(PLAIN) & set(GOOD + BAD)


def test_the_reward_is_the_root_of_the_share():
    found = goodness([Problem(0, "ijk")] * 3, ["aaaaaaaa", "abijefgh", "ijklijkl"])
    assert found.tolist() == pytest.approx([1.0, math.sqrt(2 / 8), 0.0])


def test_the_observer_is_asked_again():
    assert second_line(Problem(3, "ijk"), "abcdefgh").input == "ijkabcdefgh/ijk"


def test_questions_of_the_splits_have_noise_of_their_own():
    train, test = Reviews("train", 8), Reviews("test", 8)
    assert [train.at(i).input for i in range(8)] != [test.at(i).input for i in range(8)]
    with pytest.raises(IndexError):
        test.at(8)
