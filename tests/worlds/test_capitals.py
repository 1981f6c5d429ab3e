"""The translation task and its three credits, which have one sum."""

from __future__ import annotations

import pytest
import torch

from rlft.training.score import score
from rlft.types import Problem, Text
from rlft.worlds.capitals import Translation, careless, nltk_loop, per_token, sentence, translated


def test_translation():
    task, test = Translation(), Translation("test")
    assert (task.size, test.size) == (144_000, 16_000)
    problem = task.at(7)
    assert problem == Translation().at(7) and problem.answer == translated(problem.input[:-1])
    beginnings = [{t.at(i).input[:4] for i in range(0, t.size, 40)} for t in (task, test)]
    assert not beginnings[0] & beginnings[1] and len(beginnings[1]) == 400
    letters = {word: translated(word) for word in "abcdefghijklmnopqrst"}
    assert len(set(letters.values())) == 20
    # An adjective goes behind its noun, once; of two adjectives the second.
    assert translated("afg") == letters["f"] + letters["a"] + letters["g"]
    assert translated("abf") == letters["a"] + letters["f"] + letters["b"]
    assert translated("fa") == letters["f"] + letters["a"]
    slips = [careless(task.at(i)).answer != task.at(i).answer for i in range(100)]
    assert 50 < sum(slips) < 100
    with pytest.raises(IndexError, match="none with index"):
        test.at(16_000)


def test_the_three_credits_have_one_sum():
    pytest.importorskip("nltk")
    from rlft.models.small_language import character_tokenizer

    tokenizer = character_tokenizer("ABCDEF")

    def said(text):
        return Text(text, [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id])

    problems = [Problem(0, "ab=", "ABCDEF"), Problem(1, "b=", "BAB")]
    outputs = [said("ABDCEF"), said("BA")]
    totals = [score(f, problems, outputs, decisions=8).total for f in (sentence(), per_token(tokenizer), nltk_loop())]
    assert 0.1 < totals[0][0] < 1
    assert torch.allclose(totals[0], totals[1], atol=1e-6) and torch.allclose(totals[0], totals[2], atol=1e-6)
