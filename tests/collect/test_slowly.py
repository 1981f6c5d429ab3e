"""Averaged weights draw, by hand; the policy's own come back; once a step; with state."""

import io

import pytest
import torch

from rlft.collect.slowly import Slowly
from rlft.types import Problem, UserError
from tests.collect.test_augment import Script
from tests.fakes import Table


class Weighing(Script):
    """A policy of two weights, of which one is trained, and what it had when a batch was drawn."""

    def __init__(self):
        super().__init__()
        self.policy, self.seen = Table(1, 1, 2), []
        with torch.no_grad():
            self.policy.logits.copy_(torch.tensor([[[3.0, 4.0]]]))

    def draw(self, count):
        self.seen.append(self.policy.logits.flatten().tolist())
        rows = self.policy.sample([Problem(0, 0)], 1, 0)
        return rows.fill(rewards=torch.zeros(1), position=torch.zeros(1, dtype=torch.int64))


def learned(source, *values):
    with torch.no_grad():
        source.policy.logits.copy_(torch.tensor(values))
    source.steps_done += 1


def test_the_average_by_hand():
    """With eta 0, 0.25 and 0.4, as 0.5 (3 - 1) is more than the most."""
    source, slow = Weighing(), Slowly(lambda source: source.draw(2), rate=0.25, most=0.4, first=1)
    assert len(slow(source)) == 1 and source.seen[-1] == [3, 4]
    learned(source, 5.0, 4.0)
    slow(source)
    assert source.seen[-1] == [5, 4] and source.notes == {"slow/decay": 0.0, "slow/apart": 0.0}
    learned(source, 1.0, 8.0)
    slow(source)
    assert source.seen[-1] == pytest.approx([0.25 * 5 + 0.75 * 1, 0.25 * 4 + 0.75 * 8])
    assert source.notes["slow/apart"] == pytest.approx((1 + 1) ** 0.5 / 65**0.5)
    assert source.policy.logits.flatten().tolist() == [1.0, 8.0]  # its own are back
    slow(source)  # the same step draws again
    assert source.seen[-1] == source.seen[-2]
    learned(source, 2.0, 7.0)
    slow(source)
    assert source.seen[-1] == pytest.approx([0.4 * 2 + 0.6 * 2, 0.4 * 7 + 0.6 * 7])


def test_it_goes_on_from_its_state():
    source, slow = Weighing(), Slowly(lambda source: source.draw(2), rate=1.0, most=0.5)
    slow(source)
    learned(source, 1.0, 2.0)
    slow(source)
    kept = io.BytesIO()
    torch.save(slow.state_dict(), kept)
    kept.seek(0)
    again = Slowly(lambda source: source.draw(2), rate=1.0, most=0.5)
    again.load_state_dict(torch.load(kept, weights_only=True))
    learned(source, 9.0, 9.0)
    slow(source), again(source)
    assert source.seen[-1] == source.seen[-2] == pytest.approx([0.5 * 2 + 0.5 * 9, 0.5 * 3 + 0.5 * 9])


def test_weights_come_back_where_drawing_fails():
    def fails(source):
        raise UserError("no")

    source, slow = Weighing(), Slowly(fails, rate=1.0, most=0.5)
    slow.load_state_dict({"old": [torch.zeros(1, 1, 2)], "steps": 0})
    with pytest.raises(UserError, match="no"):
        slow(source)
    assert source.policy.logits.flatten().tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    "told", [{"rate": -1.0, "most": 0.5}, {"rate": 1.0, "most": 1.0}, {"rate": 1.0, "most": 0.5, "first": -1}]
)
def test_what_is_no_decay(told):
    with pytest.raises(UserError, match="a decay has"):
        Slowly(lambda source: source.draw(1), **told)
