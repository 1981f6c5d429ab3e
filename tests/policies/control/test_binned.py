"""Actions as tokens: probabilities counted out, an order that is kept, bins that round. See also test_control."""

import functools
import itertools

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Box, Discrete
from rlft.methods.sac import sac
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Binned, Control
from rlft.types import Policy, UserError
from rlft.types.acting import Central, Imitating, Proposing, Reparameterised

SPACE = Box((-2.0, 0.0), (2.0, 10.0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def head(chunk=1, bins=3, width=8):
    """One whose tokens depend on those before them."""
    made = Binned(SPACE, chunk, bins=bins, width=width, seed=1).double()
    with torch.no_grad():
        made.net.weights[-1].mul_(300)
        made.net.biases[-1].add_(torch.linspace(-0.4, 0.3, bins))
    return made


OUTPUTS = torch.randn(2, 8, generator=generator(5), dtype=torch.float64)


def all_decisions(chunk, bins):
    return torch.tensor(list(itertools.product(range(bins), repeat=2 * chunk))).view(-1, chunk, 2)


def test_all_decisions_together_have_probability_one():
    made, each = head(chunk=2), all_decisions(2, 3)
    logp = made.log_prob(OUTPUTS[:1].expand(81, -1), each)
    assert logp.shape == (81, 2)
    assert float(logp.sum(dim=1).exp().sum().detach()) == pytest.approx(1, abs=1e-12)
    assert logp.sum(dim=1).std() > 0.5
    # the first action's share does not know what follows it: over its own nine decisions it sums to 1 by itself
    first = logp[:, 0].view(9, 9)
    assert_close(first, first[:, :1].expand(-1, 9), atol=1e-12, rtol=0)
    assert float(first[:, 0].exp().sum().detach()) == pytest.approx(1, abs=1e-12)


def test_a_decision_is_the_sum_over_its_tokens():
    """Token by token from the logits: each sees the state and what was chosen before it."""
    made = head(chunk=2)
    decision = torch.tensor([[[2, 0], [1, 2]], [[0, 1], [1, 0]]])
    unit = made.unit(decision).flatten(1)
    each = [
        made.logits(OUTPUTS, unit)[:, i].log_softmax(-1)[torch.arange(2), decision.flatten(1)[:, i]] for i in range(4)
    ]
    expected = torch.stack([each[0] + each[1], each[2] + each[3]], dim=1)
    assert_close(made.log_prob(OUTPUTS, decision), expected, atol=1e-14, rtol=0)
    for i in range(4):
        changed = unit.clone()
        changed[:, i:] += 0.5
        assert torch.equal(made.logits(OUTPUTS, changed)[:, i], made.logits(OUTPUTS, unit)[:, i])
        if i:
            changed[:, i - 1] += 0.5
            assert not torch.equal(made.logits(OUTPUTS, changed)[:, i], made.logits(OUTPUTS, unit)[:, i])


def test_draws_have_the_probabilities_they_are_scored_with():
    made, each = head(), all_decisions(1, 3)
    chances = made.log_prob(OUTPUTS[:1].expand(9, -1), each).exp()[:, 0].detach()
    noise = made.noise(torch.arange(20_000), torch.tensor([4]))[:, 0]
    rows = OUTPUTS[:1].expand(20_000, -1)
    for drawn in (made.draw(rows, noise), made.inside(made.propose(OUTPUTS[:1], 20_000, generator(2))[0])):
        counted = (drawn[:, 0, 0] * 3 + drawn[:, 0, 1]).bincount(minlength=9) / 20_000
        assert ((counted - chances).abs() < 4 * (chances * (1 - chances) / 20_000).sqrt()).all()
    assert chances.max() > 2 * chances.min()


def test_greedy_by_hand():
    made = head()
    first = int(made.log_prob(OUTPUTS[:1].expand(3, -1), torch.tensor([[[0, 0]], [[1, 0]], [[2, 0]]])).argmax())
    unit = torch.tensor([[(2 * first + 1) / 3 - 1, 0.0]]).double()
    by_first = made.logits(OUTPUTS[:1], unit)[0, 0].argmax()
    second = made.logits(OUTPUTS[:1], torch.tensor([[(2 * int(by_first) + 1) / 3 - 1, 0.0]]).double())[0, 1].argmax()
    assert made.mode(OUTPUTS[:1])[0, 0].tolist() == [int(by_first), int(second)]


def test_actions_come_back_within_half_a_bin():
    made = head(bins=7)
    low, high = torch.tensor(SPACE.low).double(), torch.tensor(SPACE.high).double()
    action = low + (high - low) * torch.rand(500, 1, 2, generator=generator(3), dtype=torch.float64)
    off = (made.action(made.decision(action)) - action).abs() / (high - low)
    assert off.max() <= 0.5 / 7 + 1e-12 and off.max() > 0.45 / 7
    every = torch.arange(7)[:, None, None].expand(-1, 1, 2)
    assert torch.equal(made.decision(made.action(every)), every)
    assert torch.equal(made.inside(made.unit(every).float()), every)
    assert made.decision(torch.stack([low, high])[:, None])[:, 0].tolist() == [[0, 0], [6, 6]]
    assert_close(made.action(torch.tensor([[[3, 6]]]))[0, 0], torch.tensor([0.0, 10 * 13 / 14]).double())


def test_imitation_is_cross_entropy():
    policy = Control(PointMass(), head=functools.partial(Binned, bins=5), chunk=2, width=8).double()
    seen, action = (
        torch.randn(6, 4, generator=generator(1)).double(),
        torch.rand(6, 2, 2, generator=generator(2)) * 2 - 1,
    )
    bins = ((action + 1) / 0.4).long()
    expected = -policy.head.log_prob(policy.actor(seen), bins)
    assert_close(policy.imitation(seen, action.double(), generator()), expected, atol=1e-14, rtol=0)


def test_what_it_can_and_what_it_cannot():
    world = PointMass()
    policy = Control(world, head=Binned)
    for can in (Proposing, Imitating, Policy):
        assert isinstance(policy, can)
    for cannot in (Reparameterised, Central):
        assert not isinstance(policy, cannot)
    with pytest.raises(UserError, match="sac needs a policy that has proposals with densities and a gradient"):
        Learner(policy, world, [Phase(sac())])
    with pytest.raises(UserError, match="Categorical"):
        Binned(Discrete(3), 1)
    with pytest.raises(UserError, match="at least 2 bins"):
        Binned(SPACE, 1, bins=1)
    acted = policy.act(torch.zeros(3, 4), policy.noise(torch.arange(3), torch.tensor([0]))[:, 0])
    assert acted.dtype == torch.float32 and policy.propose(torch.zeros(3, 4), 4, generator()).dtype == torch.float32
