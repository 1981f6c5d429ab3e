"""The loop itself: learning rate, collect, demonstrations, columns, what is logged."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rlft.collect import informative
from rlft.methods.grpo import grpo
from rlft.methods.rloo import rloo
from rlft.runtime.local import Local
from rlft.training.score import score
from rlft.training.trainer import Trainer
from rlft.types import Problem, Rollouts, UserError
from tests.fakes import Cards, Table, agreement, share


def trainer(**settings):
    defaults = {"method": rloo(), "reward": agreement, "prompts": 4, "group": 4, "lr": 0.1, "watch_kl": True}
    settings = {**defaults, **settings}
    return Trainer(Table(), settings.pop("method"), Cards(), settings.pop("reward"), **settings)


def test_columns_say_what_would_fill_them():
    rollouts = Table().sample([Cards().at(0)], 2, 0)
    with pytest.raises(LookupError, match=r"no column 'advantages' yet: it is filled by the Trainer's credit stage"):
        _ = rollouts.advantages
    filled = rollouts.fill(rewards=torch.zeros(2))
    with pytest.raises(LookupError, match="no column is rewritten"):
        filled.fill(rewards=torch.ones(2))
    with pytest.raises(LookupError, match="unknown column 'reward'"):
        rollouts.fill(reward=torch.ones(2))
    with pytest.raises(ValueError, match="has 3 rows, the rollouts 2"):
        rollouts.fill(rewards=torch.ones(3))


def test_concat_pads_and_indexing_undoes_it():
    table = Table()
    long, short = (table.sample([Cards().at(i)], 2, 0) for i in (0, 1))
    cut = Rollouts(
        short.problems,
        2,
        short.outputs,
        {"which": short.trace["which"], "actions": short.trace["actions"][:, :2]},
        short.mask[:, :2],
        short.logp_old[:, :2],
    )
    both = Rollouts.concat([long, cut])
    assert both.mask.shape == (4, 3)
    assert not both.mask[2:, 2].any()
    assert_close(table.log_prob(both)[2:, :2], table.log_prob(short)[:, :2] * short.mask[:, :2])
    assert both[[2, 0]].problems == (short.problems[0], long.problems[0])
    assert torch.equal(both[1:3].logp_old, both.logp_old[1:3])


def test_the_learning_rate_is_the_schedules():
    t = trainer(schedule=lambda step: [1.0, 0.0, 2.0][step], optimizer=lambda p, lr: torch.optim.SGD(p, lr))
    moved = []
    for _ in range(3):
        before = t.policy.logits.detach().clone()
        t.step()
        moved.append(float((t.policy.logits.detach() - before).abs().max()))
    assert moved[0] > 0
    assert moved[1] == 0
    assert moved[2] > 0


def test_the_gradient_is_clipped_to_its_bound():
    t = trainer(max_grad_norm=1e-3, optimizer=lambda p, lr: torch.optim.SGD(p, lr), lr=1.0)
    before = t.policy.logits.detach().clone()
    metrics = t.step()
    assert metrics["grad_norm"] > 0.01
    assert_close((t.policy.logits - before).norm().item(), 1e-3, atol=1e-8, rtol=1e-4)


def test_no_gradient_is_held_while_rows_are_drawn():
    made = trainer()
    list(made.run(1))
    weights = list(made.policy.parameters())
    assert weights and all(weight.grad is None for weight in weights)


def test_the_gradient_is_the_papers():
    """RLOO's estimate, worked out from the rows without the engine: -1/N sum_i A_i d log pi(i)."""
    t = trainer(optimizer=lambda p, lr: torch.optim.SGD(p, lr), lr=1.0, max_grad_norm=1e9)
    rows = Table().sample([Cards().at(p.index) for p in trainer().stream.take(4)], 4, 0)
    table = Table()
    rewards = torch.tensor(agreement(rows.problems, rows.outputs), dtype=torch.float64).reshape(4, 4)
    advantages = (rewards - (rewards.sum(1, keepdim=True) - rewards) / 3).reshape(-1)
    (-(advantages * table.log_prob(rows).sum(1)).mean()).backward()
    t.step()
    assert table.logits.grad.abs().max() > 0.01
    assert_close(Table().logits - t.policy.logits, table.logits.grad, atol=1e-6, rtol=0)  # rewards are float32


def test_what_is_logged():
    t = trainer()
    m = t.step()
    assert {"reward", "reward_std", "kl", "length", "entropy", "ratio/first", "grad_norm", "seconds/sample"} <= set(m)
    rows = Table().sample(trainer().stream.take(4), 4, 0)
    rewards = torch.tensor(agreement(rows.problems, rows.outputs))
    assert_close(
        [m["reward"], m["reward_std"]], [rewards.mean().item(), rewards.std(correction=0).item()], atol=1e-5, rtol=0
    )
    assert m["length"] == rows.mask.sum() / 16
    assert_close(m["entropy"], float(-rows.logp_old.sum() / rows.mask.sum()))
    assert m["kl"] == 0
    assert t.step()["kl"] != 0


def test_informative_groups_fill_the_batch():
    calls = []

    def mostly_flat(problems, outputs):
        calls.append(len(problems))
        return [r if p.index % 3 == 0 else 1.0 for r, p in zip(share(problems, outputs), problems, strict=True)]

    t = trainer(method=replace(rloo(), collect=informative(rounds=50)), reward=mostly_flat)
    rollouts = t.credit(t.collect())
    assert len(rollouts) == 16
    assert sorted(rollouts.position.tolist()) == list(range(16))
    assert all(p.index % 3 == 0 for p in rollouts.problems)
    drawn = 4 * len(calls)
    assert drawn > 4
    metrics = trainer(method=replace(rloo(), collect=informative(rounds=50)), reward=mostly_flat).step()
    assert metrics["groups/kept"] == 4
    assert metrics["groups/drawn"] == drawn


def test_nothing_informative_moves_nothing():
    t = trainer(method=replace(rloo(), collect=informative(rounds=2)), reward=lambda p, o: [1.0] * len(p))
    before = t.policy.logits.detach().clone()
    metrics = t.step()
    assert torch.equal(before, t.policy.logits)
    assert (metrics["groups/drawn"], metrics["groups/kept"], metrics["reward"]) == (8, 0, 1)


def test_a_second_pass_meets_other_noise():
    task = Cards(size=4)
    t = Trainer(Table(), rloo(), task, agreement, prompts=4, group=2, lr=0.0)
    first, second = (t.draw(4) for _ in range(2))
    assert {p.visit for p in first.problems} == {0}
    assert {p.visit for p in second.problems} == {1}
    by_index = [sorted(zip([p.index for p in r.problems], map(str, r.outputs), strict=True)) for r in (first, second)]
    assert [i for i, _ in by_index[0]] == [i for i, _ in by_index[1]]
    assert by_index[0] != by_index[1]


def test_a_trainer_refuses_what_cannot_work():
    with pytest.raises(UserError, match="2 prompts a step cannot be shared over 3 minibatches"):
        trainer(method=grpo(minibatches=3), prompts=2)
    with pytest.raises(UserError, match="rloo learns from a reward, and none was given"):
        trainer(reward=None).step()


PROBLEMS = [Problem(i, None) for i in range(3)]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("abc", r"the reward returned str 'abc'; expected 3 numbers"),
        (None, r"the reward returned NoneType None; expected 3 numbers"),
        (0.5, r"the reward returned float 0.5; expected 3 numbers"),
        ([1.0, 2.0], r"the reward returned 2 values for 3 rows"),
        ([1.0, "x", 2.0], r"the reward returned str 'x' for row 1; expected a number"),
        ({"a": [1.0, 2.0, 3.0], "b": [1.0]}, r"the reward's part 'b' returned 1 values for 3 rows"),
        ({}, r"empty dict"),
        ([[1.0, 2.0, 3.0]] * 3, r"rows of shapes \[\(3,\)\]; expected numbers, or up to 2 per row"),
        ({"a": [1.0] * 3, "b": [[1.0, 2.0]] * 3}, r"some parts of the reward are per decision and 'a' per row"),
    ],
)
def test_a_reward_that_cannot_be_read_is_refused(returned, message):
    with pytest.raises(UserError, match=message):
        score(lambda p, o: returned, PROBLEMS, [None] * 3, decisions=2)


def test_what_a_reward_may_return():
    nan = math.nan
    parts = {"a": [0.5, 2, None], "b": [0.5, 0.5, None]}
    for returned in ([1, 2.5, None], torch.tensor([1.0, 2.5, nan]), np.array([1, 2.5, None]), parts):
        scores = score(lambda p, o, r=returned: r, PROBLEMS, [None] * 3)
        assert_close(scores.total, torch.tensor([1.0, 2.5, nan]), equal_nan=True)
    ragged = score(lambda p, o: [[1.0], [2.0, 3.0], torch.tensor([4.0, 5.0])], PROBLEMS, [None] * 3, decisions=2)
    assert_close(ragged.at, torch.tensor([[1.0, 0.0], [2.0, 3.0], [4.0, 5.0]]))
    assert_close(ragged.total, torch.tensor([1.0, 5.0, 9.0]))


def test_unscored_rows_are_counted():
    metrics = trainer(reward=lambda p, o: [None if i == 5 else float(i % 4) for i in range(len(p))]).step()
    assert metrics["rows/unscored"] == 1
    assert_close(metrics["reward"], sum(i % 4 for i in range(16) if i != 5) / 15)


class OneOfTwo(Local):
    """This process and another, which has scored so many of its four rows, by turns."""

    def __init__(self, others):
        self.others = iter(others)

    def gather(self, column):
        other = next(self.others, None) if column.dtype == torch.long and column.shape == (1, 3) else None
        return column if other is None else torch.cat([column, torch.tensor([[4, other, 12]])])


def unscorable_at_first(draws):
    calls = iter(range(draws))
    return lambda p, o: [None] * len(p) if next(calls, None) is not None else agreement(p, o)


def test_a_draw_that_cannot_be_scored_is_left_and_counted():
    t = trainer(reward=unscorable_at_first(2))
    with pytest.warns(UserWarning, match="step 1: none of 16 rows could be scored; skipped"):
        metrics = t.step()
    assert (metrics["draws/skipped"], metrics["rows/unscored"], metrics["rows/drawn"]) == (2, 32, 48)
    assert "draws/skipped" not in t.step()
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(UserError, match="could not score any of 16 rows, 5 times in a row"),
    ):
        trainer(reward=lambda p, o: [None] * len(p)).step()


def test_processes_decide_together_whether_a_draw_can_be_scored():
    t = trainer(reward=unscorable_at_first(1), runtime=OneOfTwo([4]))
    assert (metrics := t.step())["rows/drawn"] == 16 and "draws/skipped" not in metrics  # the other has something
    assert metrics["rows/unscored"] == 16 and metrics["updates"] == 0
    t = trainer(reward=unscorable_at_first(1), runtime=OneOfTwo([0, 0]))
    with pytest.warns(UserWarning, match="none of 20 rows"):
        assert t.step()["draws/skipped"] == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": -1.0}, "lr must not be negative; got -1.0"),
        ({"rows": 0}, "rows must be at least 1; got 0"),
        ({"prompts": -1}, "prompts must be at least 1; got -1"),
        ({"max_grad_norm": math.nan}, "max_grad_norm must not be negative; got nan"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        trainer(**wrong)


def test_an_infinite_reward_is_refused():
    with pytest.raises(UserError, match="the reward is infinite for row 1"):
        score(lambda p, o: [0.0, math.inf, 1.0], PROBLEMS, [None] * 3)


def test_rows_without_decisions_are_refused():
    t = trainer()
    sample = t.policy.sample
    t.policy.sample = lambda *a: replace(sample(*a), mask=torch.zeros(16, 3, dtype=torch.bool))
    with pytest.raises(UserError, match="no row has a decision of the policy's own"):
        t.step()
