"""The last decisions first: where an interval begins, what is left of rows, and groups that branch there."""

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.backward import Interval, branches, latest
from rlft.collect.sources import one_batch
from rlft.methods.b2_diffurl import b2_diffurl
from rlft.methods.ddpo import ddpo
from rlft.tool.self_test import diffusion
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Table, agreement


def trainer(method=None, **settings):
    told = {"prompts": 6, "group": 3, "seed": 5, "lr": 0.05, **settings}
    return Trainer(Table(decisions=7, stop=-1), method or ddpo(), Cards(decisions=7), agreement, **told)


def test_where_an_interval_begins():
    whole = torch.ones(1, 20).bool()
    authors = Interval(14, over=100)
    # τ = 14 + floor(7 i / 100)
    assert [20 - int(authors.start(whole, i)) for i in (0, 14, 15, 50, 99, 100, 500)] == [14, 14, 15, 17, 20, 20, 20]
    assert [int(Interval(14).start(whole, i)) for i in (0, 99)] == [6, 6]
    # nine decisions of ten columns; with gaps; fewer than the interval
    rows = torch.tensor([[1] * 9 + [0], [1, 0, 1, 1, 0, 1, 0, 0, 0, 0], [0, 0, 1] + [0] * 7]).bool()
    assert Interval(2).start(rows, 0).tolist() == [7, 3, 0]
    # 2 + floor(8 · 3 / 6) = 6 of 9, 2 + floor(3 · 3 / 6) = 3 of 4
    assert Interval(2, over=6).start(rows, 3).tolist() == [3, 2, 0]
    with pytest.raises(UserError, match="at least 1 decision"):
        Interval(0)


def test_only_the_end_of_a_row_is_left():
    t, plain = trainer(), trainer()
    t.steps_done = plain.steps_done = 2
    rows, same = latest(Interval(3, over=10))(t), one_batch(plain)
    # 3 + floor(5 · 2 / 10) = 4 of 7
    assert not rows.mask[:, :3].any() and rows.mask[:, 3:].all() and t.notes["interval"] == 4
    assert not rows.logp_old[:, :3].any()
    assert_close(rows.logp_old[:, 3:], same.logp_old[:, 3:], atol=0, rtol=0)
    assert torch.equal(rows.trace["actions"], same.trace["actions"]) and torch.equal(rows.rewards, same.rewards)
    again, same = latest(Interval(7))(trainer()), one_batch(trainer())
    assert torch.equal(again.mask, same.mask) and torch.equal(again.logp_old, same.logp_old)


def test_groups_branch_where_the_interval_begins():
    t = trainer()
    rows = branches(Interval(3))(t)
    actions = rows.trace["actions"].view(6, 3, 7)
    assert len(rows) == 18 and rows.group == 3 and torch.equal(rows.position, torch.arange(18))
    assert torch.equal(actions[:, :1, :4].expand(6, 3, 4), actions[:, :, :4])
    assert all(len({tuple(row[4:].tolist()) for row in group}) > 1 for group in actions)
    # the first of each group is a row that was drawn; all six come from two problems
    stems = one_batch(trainer(prompts=2))
    assert torch.equal(actions[:, 0], stems.trace["actions"]) and torch.equal(rows.rewards[::3], stems.rewards)
    assert [problem.index for problem in rows.problems] == [problem.index for problem in stems.problems for _ in "abc"]
    assert not rows.mask[:, :4].any() and rows.mask[:, 4:].all() and not rows.logp_old[:, :4].any()
    assert_close(t.policy.log_prob(rows).detach(), rows.logp_old, atol=1e-12, rtol=0)
    for settings in ({"prompts": 4}, {"group": 1}):
        with pytest.raises(UserError, match="make group at least 2 and prompts a multiple"):
            branches(Interval(3))(trainer(**settings))


def test_denoising_branches_share_their_states_to_the_bit():
    t = diffusion(b2_diffurl(first=3, keep=-9.0))
    t.advance()
    states = t.pending.trace["states"].view(4, 4, 5, 2)
    assert torch.equal(states[:, :1, :2].expand(4, 4, 2, 2), states[:, :, :2])
    assert (states[:, 0, 2] != states[:, 1, 2]).all() and t.pending.mask.any()
    assert t.step()["ratio/first"] <= 1e-6
