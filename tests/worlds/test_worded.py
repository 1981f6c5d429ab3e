"""Digits in words: prompts that come back or never do, constants of their own, a denoiser that is deaf to wording."""

import pytest
import torch

from rlft.training.stream import Stream
from rlft.worlds import worded


def test_many_prompts_never_come_back_and_few_do():
    def inputs(setting, split, count):
        return [problem.input for problem in Stream(worded.Worded(setting, split), seed=0).take(count)]

    many, held_out = inputs("many", "train", 2**14), inputs("many", "test", 1024)
    assert len(set(many)) == 2**14
    assert not set(many) & set(held_out)
    assert max(many + held_out) < 10 * 2 * 2**14
    assert sorted(set(inputs("few", "train", 300))) == list(range(10)) == sorted(set(inputs("few", "test", 300)))
    counts = torch.tensor(many).remainder(10).bincount()
    assert counts.min() > 0.9 * 2**14 / 10


def test_constants_belong_to_the_prompt():
    problems = [worded.Worded("many").at(index) for index in range(4096)]
    found = worded.constants(problems)
    assert float(found.mean()) == pytest.approx(0, abs=0.05)
    assert float(found.std()) == pytest.approx(1, abs=0.05)
    assert torch.equal(found[7:9], worded.constants(problems[7:9]))
    assert worded.plain(problems[:1])[0].input == problems[0].input % 10


def test_a_deaf_denoiser_hears_the_digit():
    class Echo(torch.nn.Module):
        def forward(self, x, t, label):
            return x + label[:, None, None]

    found = worded.Deaf(Echo())(torch.zeros(2, 8, 8), torch.ones(2), torch.tensor([37, 120]))
    assert found[:, 0, 0].tolist() == [7.0, 0.0]
