"""What the credits of the recipe degenerate into, and a step of each."""

from __future__ import annotations

import pytest
import torch

from rlft.advantages import per_group, zscore
from rlft.recipes.tensorbleu import tensorbleu, to_go
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts


def rollouts(mask, rewards, at):
    n, d = mask.shape
    zeros = torch.zeros(n, d)
    problems = tuple(Problem(i // 2, "?") for i in range(n))
    return Rollouts(problems, 2, [None] * n, {}, mask, zeros).fill(rewards=rewards, reward_at=at)


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
