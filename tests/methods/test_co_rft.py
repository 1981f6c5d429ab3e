"""CO-RFT: its losses by hand, what it degenerates into, and targets of chunks that an episode's end cuts short."""

import functools

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.experts import demonstrations
from rlft.environments.insertion import Insertion
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Episode
from rlft.methods.co_rft import co_rft
from rlft.methods.iql import iql
from rlft.methods.td3_bc import td3_bc
from rlft.offpolicy.actors import imitated, imitating
from rlft.offpolicy.conservative import calibrated, conservative, gap_to
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import OffPolicy
from rlft.offpolicy.values import squared_error, td_target
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Control, StateTanhGaussian
from rlft.types import UserError

WORLD = PointMass(shaping=0.3, horizon=10)
ALONE = {"worlds": 0, "offline": 1.0}
USUAL = {"batch": 8, "interval": 5, "hidden": (8,), "capacity": 1, "seed": 3, "dtype": torch.float64}


def learner(*methods: OffPolicy, chunk=4, policy=None, **settings):
    made = policy or Control(WORLD, head=StateTanhGaussian, width=8, chunk=chunk, activation=torch.relu)
    phases = [Phase(method, steps=1, **ALONE) for method in methods[:-1]] + [Phase(methods[-1], **ALONE)]
    data = demonstrations(WORLD, 4, seed=1, clumsy=0.5)
    return Learner(made, WORLD, phases, data=data, **{**USUAL, **settings})


def weights(one):
    return torch.cat([value.detach().double().flatten() for value in one.agent.state_dict().values()])


def generator(seed=2):
    return torch.Generator().manual_seed(seed)


def batch_of(one, chunk=4):
    return one.mixed.sample(32, generator(1), chunk, chunk)


_PLAIN = ((co_rft, {"conservatism": 0.0}), (td3_bc, {}))


@pytest.mark.parametrize("chunk", [1, 4])
def test_without_conservatism_it_is_td3_bc(chunk):
    settings = {"weight": 0.7, "gamma": 0.9, "tau": 0.1, "noise": 0.3, "most": 0.4}
    ours, theirs = (learner(method(**settings, **more), chunk=chunk) for method, more in _PLAIN)
    ours.step(), theirs.step()
    assert torch.equal(weights(ours), weights(theirs))
    held = learner(co_rft(**settings, conservatism=0.1), chunk=chunk)
    held.step()
    assert not torch.equal(weights(held), weights(theirs))


def test_without_weight_the_policy_imitates():
    """The same policy to the bit as in the phase that comes before, whatever the critics are."""
    plain, first = learner(co_rft(weight=0.0)), learner(imitating(co_rft(weight=9.0)))
    pulled = learner(co_rft(weight=9.0))
    for one in (plain, first, pulled):
        one.step()
    assert torch.equal(weights(plain), weights(first))
    assert not torch.equal(weights(plain), weights(pulled))


def test_a_method_that_does_not_follow_a_centre_imitates_by_its_familys_loss():
    method = iql(temperature=9.0)
    one = learner(imitating(method), policy=Flow(WORLD, width=8, chunk=4, steps=2))
    batch = batch_of(one)
    (descent,) = (d for d in one.method.descents if d.name == "policy")
    assert torch.equal(descent.loss(one.agent, batch, generator()).loss, imitated(one.agent, batch, generator()).loss)
    assert [d.name for d in one.method.descents] == [d.name for d in method.descents]


def test_the_critics_loss_by_hand():
    """Temporal difference over the chunk with the slow copies, and what lies above the chunk that was taken."""
    one = learner(co_rft(conservatism=0.3, gamma=0.9, noise=0.0))
    batch, agent = batch_of(one), one.agent
    critic, _ = one.method.descents
    with torch.no_grad():
        here = agent.policy.centre(batch.observation)
        after = agent.policy_target.centre(batch.next_observation)
        value = agent.q_target(batch.next_observation, after).amin(dim=0)
        target = td_target(batch, value, 0.9)
        q, own = agent.q(batch.observation, batch.action), agent.q(batch.observation, here)
        gap = torch.maximum(own, batch.returns) - q
        expected = squared_error(q, target) + 0.3 * gap.mean(dim=1).sum()
    assert_close(critic.loss(agent, batch, generator()).loss.detach(), expected, atol=1e-12, rtol=0)


def test_the_conservative_term_is_cqls_of_one_candidate():
    """log ∫ of one candidate of volume 1; the policy gets no gradient of it."""
    one = learner(co_rft())
    batch, agent = batch_of(one), one.agent
    data, action = agent.q(batch.observation, batch.action), agent.policy.centre(batch.observation)
    ours, q = gap_to(agent, batch, data, action, calibrated), agent.q(batch.observation, action)
    volume = torch.zeros(32, 1, dtype=torch.float64)
    assert_close(ours, conservative(calibrated(q[..., None], batch.returns), volume, data), atol=1e-12, rtol=0)
    (slope,) = torch.autograd.grad(ours.sum(), agent.policy.actor.biases[0], allow_unused=True)
    assert slope is None


def test_a_return_that_was_earned_is_not_pushed_down():
    """Where a value lies below the return the term is flat in it, elsewhere it has slope 1."""
    one = learner(co_rft())
    batch, agent = batch_of(one), one.agent
    action = agent.policy.centre(batch.observation)
    for returns, slope in ((1e3, 0.0), (-torch.inf, 1.0)):
        told = functools.partial(type(batch), **{**vars(batch), "returns": torch.full_like(batch.returns, returns)})()
        bias = agent.q.nets.biases[-1]
        (moved,) = torch.autograd.grad(gap_to(agent, told, torch.zeros(2, 32), action, calibrated).sum(), bias)
        assert moved.flatten().tolist() == pytest.approx([32 * slope] * 2)


def test_targets_of_chunks_near_the_end_by_hand():
    """An episode of five steps that the world ended, and one that was cut off, in windows of four: gamma to the steps
    that there are, and nothing after an end. In windows of one the target is that of one step, bit for bit."""
    rewards = torch.tensor([0.0, 1.0, 0.0, 0.0, 4.0], dtype=torch.float64)
    seen, done = torch.zeros(6, 5, dtype=torch.float64), torch.zeros(5, 2, dtype=torch.float64)
    both = [Episode(seen, done, rewards, terminated=end, truncated=not end) for end in (True, False)]
    world = Insertion()
    policy = Control(world, head=StateTanhGaussian, width=8, chunk=4)
    buffer = Learner(policy, world, [Phase(co_rft(), **ALONE)], data=both, **USUAL).offline
    windows, value = buffer.windows(torch.arange(10), 4, 4), torch.full((10,), 16.0, dtype=torch.float64)
    assert windows.valid.sum(dim=1).tolist() == [4, 4, 3, 2, 1] * 2
    # the first window stops before the end, and is worth 16/16 more; the others have met it
    ended, cut = [1.5, 1.5, 1.0, 2.0, 4.0], [1.5, 1.5 + 1.0, 1.0 + 2.0, 2.0 + 4.0, 4.0 + 8.0]
    assert td_target(windows, value, 0.5).tolist() == [*ended, *cut]
    singles = buffer.windows(torch.arange(10))
    plain = singles.reward[:, 0] + 0.5 * torch.where(singles.terminated, 0, value)
    assert torch.equal(td_target(singles, value, 0.5), plain)


def test_a_policy_without_a_centre_is_refused():
    with pytest.raises(UserError, match="co_rft needs a policy that has an action without noise"):
        learner(co_rft(), policy=Flow(WORLD, width=8, chunk=4, steps=2))
