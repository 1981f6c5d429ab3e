"""Diffusion goes on from a noisy state: the next state's exact distribution, and only what is left is computed."""

import pytest
import torch
from torch.testing import assert_close

from rlft.noise import START, branch_keys, normal
from rlft.policies.stepwise.noise_rules import ode
from rlft.types import UserError
from tests.policies.stepwise.toy_diffusion import problems, small


def test_the_next_state_is_drawn_from_the_row_s_own_step():
    policy = small(shape=(3,), dtype=torch.float64, noise=0.3)
    rows = policy.sample(problems(0, 2), 1, seed=1)
    at = torch.tensor([1, 2])
    branches = policy.resume(rows, at, 4000, seed=5)
    ahead = policy.step(rows.trace["states"][torch.arange(2), at], at, rows.trace["condition"])
    for row, cut in enumerate((1, 2)):
        states = branches.trace["states"][row * 4000 : (row + 1) * 4000]
        z = (states[:, cut + 1] - ahead.mean[row]) / ahead.std[row]
        assert z.mean(0).abs().max() < 5 / 4000**0.5
        assert (z.var(0) - 1).abs().max() < 5 * (2 / 4000) ** 0.5
        assert torch.equal(states[:, : cut + 1], rows.trace["states"][row, : cut + 1].expand(4000, -1, -1))
    assert torch.equal(branches.outputs, branches.trace["states"][:, -1])


def test_from_0_the_start_is_a_new_one():
    policy = small(shape=(3,), dtype=torch.float64)
    rows = policy.sample(problems(0, 2), 2, seed=1)
    at = torch.tensor([0, 1, 4, 0])
    branches = policy.resume(rows, at, 3, seed=5)
    start = normal(branch_keys(rows.problems, at, 3, 5), 1, (3,), START)[:, 0]
    assert_close(branches.trace["states"][[0, 1, 2, 9, 10, 11], 0], start[[0, 1, 2, 9, 10, 11]], atol=0, rtol=0)
    assert torch.equal(branches.trace["states"][3:9, 0], rows.trace["states"][[1, 1, 1, 2, 2, 2], 0])
    assert torch.equal(branches.trace["condition"], rows.trace["condition"].repeat_interleave(3))


def test_only_the_steps_that_are_left_are_computed():
    policy = small(shape=(3,), block=4)
    rows = policy.sample(problems(0, 2), 4, seed=1)
    calls = []
    policy.denoiser.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    policy.resume(rows, torch.tensor([3] * 7 + [2]), 1, seed=0)
    assert calls == [4, 4, 4]  # a block for the row cut at 2, then two for all eight


def test_demonstrated_states_are_gone_on_from():
    """What follows is a decision where the rule draws, and none in DDPM's last step, whatever the teacher's were."""
    policy = small(shape=(3,), dtype=torch.float64)
    taught = policy.demonstrate([type(p)(p.index, p.input, answer=torch.ones(3)) for p in problems(0, 2)], seed=0)
    branches = policy.resume(taught, torch.tensor([2, 1]), 3, seed=1)
    assert branches.mask.long().tolist() == [[0, 0, 1, 0]] * 3 + [[0, 1, 1, 0]] * 3
    assert_close(policy.log_prob(branches).detach(), branches.logp_old, atol=1e-12, rtol=0)
    assert set(branches.trace) == set(taught.trace)


def test_rows_of_another_number_of_steps_are_refused():
    policy = small(shape=(3,))
    rows = policy.sample(problems(0), 1, seed=1)
    with pytest.raises(UserError, match="rows of 4 steps cannot go on with a policy of 7"):
        policy.with_rule(ode(), steps=7).resume(rows, torch.tensor([1]), 1, seed=0)
