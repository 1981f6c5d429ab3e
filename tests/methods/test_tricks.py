"""The frame of the tricks: its named corners are the published methods, bit for bit, and its statistics are the
paper's."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft import advantages as adv
from rlft.losses.surrogate import sample_mean, token_mean
from rlft.methods.dapo import dapo
from rlft.methods.dr_grpo import dr_grpo
from rlft.methods.grpo import grpo
from rlft.methods.lite_ppo import lite_ppo
from rlft.methods.loop import loop
from rlft.methods.tricks import tricks
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Table, agreement, gradients

CORNERS = {
    "grpo": (
        grpo(clip=0.1, beta=0.0, epochs=2, minibatches=2),
        {"std": "group", "aggregate": "sequence", "low": 0.1, "high": 0.1},
    ),
    "lite_ppo": (lite_ppo(clip=0.1, epochs=2, minibatches=2), {"low": 0.1, "high": 0.1}),
    "dr_grpo": (
        dr_grpo(7, clip=0.1, epochs=2, minibatches=2),
        {"std": "none", "aggregate": 7, "low": 0.1, "high": 0.1},
    ),
    "dapo": (
        dapo(0.05, 0.2, rounds=3, epochs=2, minibatches=2),
        {"std": "group", "low": 0.05, "high": 0.2, "rounds": 3},
    ),
}


def run(method, steps=3, reward=agreement):
    trainer = Trainer(Table(), method, Cards(), reward, prompts=4, group=4, lr=0.05, seed=3, max_grad_norm=1e9)
    log = list(trainer.run(steps))
    return torch.cat([p.detach().flatten() for p in trainer.policy.parameters()]), log


def gradient(method, **settings):
    """Of the policy after the first update of a step, the second update's: ratios have left 1."""
    trainer = Trainer(Table(), method, Cards(), agreement, prompts=4, group=4, lr=0.2, seed=3, max_grad_norm=1e9)
    held = gradients(trainer.policy.logits)
    for _ in range(3):
        trainer.advance()
    return held[-1]


@pytest.mark.parametrize("name", CORNERS)
def test_corners_are_the_published_methods(name):
    published, switches = CORNERS[name]
    frame = tricks(epochs=2, minibatches=2, **switches)
    (ours, log), (theirs, _) = run(frame), run(published)
    assert torch.equal(ours, theirs)
    assert torch.equal(gradient(frame), gradient(published))
    assert gradient(frame).abs().max() > 1e-3
    assert max(line["clipped"] for line in log) > 0  # the clip has had a say


def test_every_switch_does_something():
    """No two settings are the same method by mistake."""
    stop = 3  # rows of the little table end at three decisions at the latest
    variants = [
        {},
        {"std": "group"},
        {"std": "none"},
        {"mean": "batch"},
        {"mean": "batch", "std": "none"},
        {"aggregate": "sequence"},
        {"aggregate": "sum"},
        {"aggregate": 2},
        {"high": 0.1},
        {"low": 0.05},
        {"overlong": stop},
        {"std": "group", "rounds": 3},
    ]
    found = [run(tricks(epochs=2, minibatches=2, **{"low": 0.1, "high": 0.05} | switches))[0] for switches in variants]
    for i, a in enumerate(found):
        for j, b in enumerate(found[:i]):
            assert not torch.equal(a, b), (variants[i], variants[j])


def test_one_minibatch_loop_differs_by_a_constant():
    """Leave-one-out is G/(G-1) times the centred reward: `loop`'s gradient is that of mean=group, std=none, sum."""

    def first(method):
        trainer = Trainer(Table(), method, Cards(), agreement, prompts=4, group=4, lr=0.1, seed=3, max_grad_norm=1e9)
        held = gradients(trainer.policy.logits)
        trainer.step()
        return held[-1]

    assert_close(first(loop(minibatches=1)), first(tricks(std="none", aggregate="sum")) * 4 / 3)


def test_batch_mean_over_group_deviation_is_refused():
    with pytest.raises(UserError, match="no meaning in a group of equal rewards"):
        tricks(mean="batch", std="group")


def test_lite_is_group_normalised_times_the_ratio_of_deviations_and_its_mean_square():
    """A_lite = A_group std_K / std_NK;  mean A_lite² = 1 - Var(group means) / std_NK²."""
    rewards = torch.tensor([[1, 0, 0, 1], [1, 1, 1, 0], [0.5, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.float64)
    lite = adv.group_mean_batch_std(rewards, correction=0)
    group, whole = rewards.std(1, correction=0, keepdim=True), rewards.std(correction=0)
    assert_close(lite, adv.zscore(rewards, correction=0) * group / whole)
    expected = 1 - rewards.mean(1).var(correction=0) / whole**2
    assert_close(lite.square().mean(), expected)
    assert 0.5 < expected < 0.9
    equal_means = torch.tensor([[1, 0], [0, 1], [1, 0]], dtype=torch.float64)
    assert_close(adv.group_mean_batch_std(equal_means, correction=0).square().mean(), torch.tensor(1.0).double())


def test_solved_and_failed_groups_pull_only_where_the_batch_is_the_mean():
    rewards = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert (adv.group_mean_batch_std(rewards) == 0).all()
    assert (adv.zscore(rewards) == 0).all()
    # std of three ones and three zeros: sqrt(6/4 / 5) = sqrt(.3)
    assert_close(adv.batch_normalised(rewards), torch.tensor([[1.0] * 3, [-1.0] * 3]) * 0.5 / math.sqrt(0.3))
    assert_close(adv.batch_baseline(rewards), torch.tensor([[0.5] * 3, [-0.5] * 3]))


@pytest.mark.parametrize("others", [[1.0] * 8, [0.0, 1.0] * 4, [0.0] * 8])
def test_a_single_dissenter(others):
    """One wrong answer among eight: -sqrt(7) by the group's deviation, whatever the batch; less by the batch's."""
    rewards = torch.tensor([[0.0] + [1.0] * 7, others, others], dtype=torch.float64)
    assert_close(adv.zscore(rewards, correction=0)[0, 0].item(), -math.sqrt(7))
    lite = adv.group_mean_batch_std(rewards, correction=0)[0, 0].item()
    assert_close(lite, -7 / 8 / rewards.std(correction=0).item())
    p = rewards.mean()  # of zeros and ones, the batch's deviation is sqrt(p (1 - p))
    assert_close(lite, -7 / 8 / torch.sqrt(p * (1 - p)).item())
    assert (lite > -math.sqrt(7)) == (p * (1 - p) > 7 / 64)


def test_token_mean_weighs_a_row_by_its_length():
    """The gradient of a row is its length times as large; the mean over rows gives each the same."""
    mask = torch.tensor([[True] * 6, [True] * 2 + [False] * 4])
    for reduce, ratio in ((token_mean, 3.0), (sample_mean, 1.0)):
        logp = torch.zeros(2, 6, dtype=torch.float64, requires_grad=True)
        total = reduce(-logp, mask)
        (grad,) = torch.autograd.grad(total.sum / total.weight, logp)
        assert_close((grad[0].sum() / grad[1].sum()).item(), ratio)
        assert grad[1, 0] < 0


def test_equal_lengths_make_token_and_sequence_the_same():
    """Table rows that never stop are three decisions long."""

    def after(aggregate):
        table = Table(stop=-1)
        method = tricks(aggregate=aggregate, low=0.1, high=0.1, epochs=2, minibatches=2)
        settings = {"prompts": 4, "group": 4, "lr": 0.5, "seed": 3, "max_grad_norm": 1e9}
        # plain gradient descent: Adam divides gradients that should be zero by their own rounding
        trainer = Trainer(table, method, Cards(), agreement, **settings, optimizer=lambda p, lr: torch.optim.SGD(p, lr))
        list(trainer.run(3))
        return table.logits.detach()

    assert_close(after("token"), after("sequence"), atol=1e-12, rtol=0)
    assert (after("token") - Table(stop=-1).logits).abs().max() > 1e-2


def test_overlong_rows_count_in_the_statistics_and_have_no_gradient():
    trainer = Trainer(Table(), tricks(overlong=3), Cards(), agreement, prompts=4, group=4, seed=3)
    trainer.advance()
    rows = trainer.pending
    assert rows is not None
    plain = adv.per_batch(adv.group_mean_batch_std)(rows, Local())
    drawn = Table().sample(rows.problems[::4], 4, 3).mask.sum(1)
    assert 0 < (drawn == 3).sum() < len(drawn)
    assert torch.equal(rows.mask.any(1), drawn < 3)
    kept = rows.mask.any(1)
    assert_close(rows.advantages[kept, 0], plain[kept])
    with pytest.raises(UserError, match="at least 1; got 0"):
        tricks(overlong=0)
