"""B²-DiffuRL: what it degenerates into, and which rows it learns from."""

import pytest
from torch.testing import assert_close

from rlft.methods.b2_diffurl import b2_diffurl
from rlft.methods.ddpo import ddpo
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Final, Table, agreement


def stepped(method, policy=None, steps=2):
    policy = policy or Table(decisions=5, stop=-1)
    t = Trainer(policy, method, Cards(decisions=5), agreement, prompts=4, group=4, lr=0.05)
    for _ in range(steps):
        t.step()
    return t


def test_whole_rows_and_the_whole_row_are_ddpo():
    one, other = stepped(b2_diffurl(first=5, sampling="rows", clip=0.2, buffer=16)), stepped(ddpo(clip=0.2))
    assert_close(one.policy.logits, other.policy.logits, atol=0, rtol=0)
    late = stepped(b2_diffurl(first=2, over=9, sampling="rows", clip=0.2, buffer=16))
    moved = (late.policy.logits - Table(decisions=5, stop=-1).logits).abs().amax((0, 2))
    assert (moved[:3] == 0).all() and (moved[3:] > 0.01).all()


def test_the_best_and_the_worst_of_each_group_are_learned_from():
    t = stepped(b2_diffurl(first=2, keep=0.0), steps=0)
    t.advance()
    rows, kept = t.pending, t.pending.mask.any(1).view(4, 4)
    assert not rows.mask[:, :3].any() and (kept.sum(1) <= 2).all() and kept.any()
    rewards = rows.rewards.view(4, 4)
    for group, which in zip(rewards, kept, strict=True):
        assert {float(r) for r in group[which]} <= {float(group.max()), float(group.min())}
    assert (rows.advantages[rows.mask].abs() > 0).all()


def test_it_needs_to_go_on_from_the_middle():
    with pytest.raises(UserError, match="go on from the middle"):
        stepped(b2_diffurl(), policy=Final(decisions=5, stop=-1))
    stepped(b2_diffurl(sampling="rows"), policy=Final(decisions=5, stop=-1), steps=1)
