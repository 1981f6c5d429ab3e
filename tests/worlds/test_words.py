"""Words of four letters: their rewards, how they are spelt, and the pages they are written on."""

import itertools

import pytest
from torch.testing import assert_close

from rlft.worlds.words import Blank, constant, second, spelt, vowel


def test_rewards():
    words = ["", "abab", "aeee", "bdbd", "aaaa", "ae"]
    assert vowel([], words).tolist() == [0, 0.5, 0.75, 0, 1, 0.25]
    assert constant([], words).tolist() == [0.5] * 6
    assert [second(word) for word in words] == [False, False, True, False, False, False]


def test_words_alternate_but_for_slips():
    words = [spelt(draw) for draw in range(1000)]
    assert {len(word) for word in words} == {2, 3, 4}
    kept = [sum((a in "ae") != (b in "ae") for a, b in itertools.pairwise(w)) == len(w) - 1 for w in words]
    assert 0.85 < sum(kept) / 1000 < 0.95  # (23/24)^3 on average, and two slips beside one another undo each other
    letters = "".join(words)
    assert_close(letters.count("a") / (letters.count("a") + letters.count("e")), 0.6, atol=0.04, rtol=0)


def test_blank_pages_differ_in_their_noise_alone():
    assert {Blank().at(index).input for index in (0, 1, 4095)} == {""}
    with pytest.raises(IndexError, match="blank has 4096 problems in 'train', none with index 4096"):
        Blank().at(4096)
