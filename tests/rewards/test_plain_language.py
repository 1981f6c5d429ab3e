"""Rewards of simplification, by hand."""

import math

import pytest
import torch

from rlft.errors import UserError
from rlft.metrics import grade
from rlft.options.reward import load_reward
from rlft.rewards import mentions, readability, sari
from rlft.rewards.plain_language import similar
from rlft.types import Problem

SOURCE = "the physician administered 40 mg of aspirin ."
ROW = Problem(0, SOURCE, "the doctor gave 40 mg of aspirin .", {"facts": ["40", "Aspirin"], "text": SOURCE})


def test_readability_is_a_line_between_two_grades():
    text = "The doctor came and left."
    at = float(grade([text])[0])
    paid = readability(easy=at - 1.0, hard=at + 3.0)
    assert float(paid([ROW], [text])[0]) == pytest.approx(0.75)
    assert paid([ROW, ROW], ["", "cat"]).tolist() == [0, 1]
    with pytest.raises(UserError, match="easy below hard"):
        readability(easy=10.0, hard=10.0)


def test_mentions_counts_whole_words():
    assert mentions()([ROW] * 4, ["aspirin, 40 mg", "400 aspirin", "aspirins", ""]).tolist() == [1, 0.5, 0, 0]
    assert mentions(case=True)([ROW], ["40 aspirin"]).tolist() == [0.5]
    assert math.isnan(float(mentions(column="none")([ROW], ["40"])[0]))
    assert mentions(column="one")([Problem(0, "", None, {"one": "high blood pressure"})], ["High blood-pressure!"]) == 1


def test_similar_is_a_cosine_to_the_source():
    def vowels(texts):
        return torch.tensor([[float(text.count(letter)) for letter in "ae"] for text in texts])

    rows = [Problem(0, "aa", None, {"text": "ae"}), Problem(1, "ee", None, {"text": "e"})]
    assert similar(vowels)(rows, ["ae", "ee"]).tolist() == pytest.approx([0.5**0.5, 1])
    assert similar(vowels, "text")(rows, ["ae", "a"]).tolist() == pytest.approx([1, 0])
    with pytest.raises(UserError, match="column 'none' is no text"):
        similar(vowels, "none")(rows, ["a", "a"])


def test_sari_against_the_answers():
    paid = sari()
    found = paid([ROW, ROW, Problem(1, SOURCE)], [ROW.answer, SOURCE, "x"])
    assert float(found[0]) == 1 and 0 < float(found[1]) < 1 and math.isnan(float(found[2]))
    chat = Problem(0, [{"role": "user", "content": SOURCE}], [ROW.answer, "other"], {"text": SOURCE})
    assert torch.equal(paid([chat], ["a b"]), sari(column="text")([chat], ["a b"]))


def test_as_options():
    assert float(load_reward("mentions(column='facts')")([ROW], ["40 mg aspirin"])[0]) == 1
    assert float(load_reward("readability(easy=-3.4, hard=15.0)")([ROW], ["cat"])[0]) == 1
