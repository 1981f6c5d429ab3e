"""The translation task, the three credits, and what each of them degenerates into."""

from __future__ import annotations

import pytest
import torch

from rlft.advantages import per_group, zscore
from rlft.recipes.tensorbleu import (
    Translation,
    careless,
    nltk_loop,
    per_token,
    sentence,
    tensorbleu,
    to_go,
    translated,
)
from rlft.runtime.local import Local
from rlft.training.score import score
from rlft.types import Problem, Rollouts, Text


def rollouts(mask, rewards, at):
    n, d = mask.shape
    zeros = torch.zeros(n, d)
    problems = tuple(Problem(i // 2, "?") for i in range(n))
    return Rollouts(problems, 2, [None] * n, {}, mask, zeros).fill(rewards=rewards, reward_at=at)


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


def test_to_go():
    mask = torch.tensor([[True, True, True], [True, True, False]])
    at = torch.tensor([[0.1, 0.2, 0.4], [0.3, 0.1, 0.0]])
    # To go: .7 .6 .4 and .4 .1; the two rows' totals .7 and .4 have deviation .3 / √2.
    std = 0.3 / 2**0.5
    expected = torch.tensor([[0.15, 0.25, 0.0], [-0.15, -0.25, 0.0]]) / std
    assert torch.allclose(to_go(rollouts(mask, at.sum(1), at), Local()), expected, atol=1e-6)


def test_to_go_with_one_reward_at_the_end_is_grpo():
    mask, rewards = torch.ones(4, 3, dtype=torch.bool), torch.tensor([0.3, 0.9, 0.5, 0.5])
    at = torch.zeros(4, 3)
    at[:, 2] = rewards
    rows = rollouts(mask, rewards, at)
    found, expected = to_go(rows, Local()), per_group(zscore)(rows, Local())
    assert torch.allclose(found, expected[:, None].expand(-1, 3), atol=1e-5)
    assert expected.abs().max() > 0.5 and found[2].abs().max() == 0


@pytest.mark.slow
@pytest.mark.parametrize("credit", ["sentence", "prefix", "nltk"])
def test_a_step_of_every_credit(credit):
    if credit == "nltk":
        pytest.importorskip("nltk")
    run = tensorbleu(credit=credit, steps=1, prompts=2, group=3, imitation=2)
    before = [weight.clone() for weight in run.trainer.policy.parameters()]
    found = run.trainer.step()
    assert 0 <= found["reward"] < 1 and found["seconds/reward"] > 0
    assert run.held_out is not None and run.held_out.size == 256
    assert all(weight.isfinite().all() for weight in run.trainer.policy.parameters())
    assert len(before) > 10
