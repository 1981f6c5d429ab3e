"""Rows drawn ahead, on every family: twice the same, the same when resumed, and the first ratio is 1 all the same."""

import io

import pytest
import torch

from rlft.advantages.correction import decoupled
from rlft.methods.grpo import grpo
from rlft.tool.self_test import FAMILIES
from rlft.training.ahead import Ahead

# One that hears is asked as one that is shown pictures, and both as one that reads.
DRAWN = [family for family in FAMILIES if family not in ("seeing", "hearing")]
STEPS, DISTANCE = 3, 1


def begun(family):
    torch.manual_seed(0)
    t = FAMILIES[family][0](decoupled(grpo(beta=0.04)))
    t.ahead = Ahead(DISTANCE, orderly=False)
    return t


def timeless(line):
    return {k: v for k, v in line.items() if not k.startswith(("seconds", "decisions_per"))}


@pytest.mark.parametrize("family", DRAWN)
def test_a_resumed_run_is_the_straight_run(family):
    straight, state, log = begun(family), {}, []
    before = [p.detach().clone() for p in straight.policy.parameters()]
    for line in straight.run(STEPS):
        log.append(timeless(line))
        if straight.steps_done == 2:
            file = io.BytesIO()
            torch.save(straight.state_dict(), file)
            state = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    assert [line["version/lag"] for line in log] == [0, 1, 1]
    assert all(line["ratio/first"] <= 5e-5 for line in log)
    assert log[2]["staleness/largest"] > 1e-4, "the weights have not moved"
    assert any(not torch.equal(a, b) for a, b in zip(before, straight.policy.parameters(), strict=True))
    other = begun(family)
    other.load_state_dict(state)
    assert [timeless(line) for line in other.run(STEPS)] == log[2:]
    for one, two in zip(straight.policy.parameters(), other.policy.parameters(), strict=True):
        assert torch.equal(one, two)
