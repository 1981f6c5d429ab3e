"""PA-RL on three classes of policies: its losses by hand, its limits, and runs that stop and go on."""

import copy
import functools
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.acted import Acted
from rlft.environments.experts import demonstrations
from rlft.environments.point_mass import PointMass
from rlft.methods.pa_rl import pa_rl
from rlft.noise import forked
from rlft.offpolicy.conservative import anywhere
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.search import ActionSearch, Searching
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Binned, Control, StateTanhGaussian
from rlft.tasks.starts import Starts

WORLD = PointMass(horizon=8, gust=0.1)
CLASSES = {
    "gaussian": lambda chunk: Control(WORLD, head=StateTanhGaussian, width=8, chunk=chunk, activation=torch.relu),
    "flow": lambda chunk: Flow(WORLD, steps=3, width=8, chunk=chunk),
    "tokens": lambda chunk: Control(WORLD, head=functools.partial(Binned, bins=5), width=8, chunk=chunk),
}
SMALL = {"n": 6, "keep": 3, "climb": 2, "critics": 3, "rate": 0.05}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def learner(kind, method, chunk=1, **settings):
    usual = {"batch": 8, "interval": 10, "hidden": (8,), "capacity": 32, "seed": 3}
    phases = [Phase(method, steps=1, worlds=0, offline=1.0), Phase(method, worlds=2, offline=0.5, warmup=5)]
    data = demonstrations(WORLD, 4, seed=1, clumsy=0.2)
    return Learner(CLASSES[kind](chunk), WORLD, phases, data=data, **{**usual, **settings})


def weights(one):
    return torch.cat([value.detach().double().flatten() for value in one.agent.state_dict().values()])


def fit_of(one, name, batch, seed=2):
    (descent,) = (d for d in one.method.descents if d.name == name)
    return descent.loss(one.agent, batch, generator(seed))


@pytest.mark.parametrize("kind", CLASSES)
def test_cold_distillation_imitates_the_argmax(kind):
    """Without a search's steps: the policy's own loss of the best among its proposals and the buffer's action."""
    one = learner(kind, pa_rl(**{**SMALL, "climb": 0}, temperature=1e-9), chunk=2, dtype=torch.float64)
    batch = one.mixed.sample(64, generator(1), 2, 2)
    fit = fit_of(one, "policy", batch)
    again = generator(2)
    proposed = one.policy.propose(batch.observation, 6, again).detach()
    q = one.agent.q.of(batch.observation, proposed).mean(dim=0)
    kept = proposed[torch.arange(64)[:, None], q.topk(3, dim=1).indices[:, :2]]
    among = torch.cat([kept, batch.action[:, None]], dim=1)
    choice = one.agent.q.of(batch.observation, among).mean(dim=0).argmax(dim=1)
    torch.multinomial(torch.ones(64, 3), 1, generator=again)
    expected = one.policy.imitation(batch.observation, among[torch.arange(64), choice], again)
    assert float(fit.loss.detach()) == pytest.approx(
        float((expected * batch.valid).sum(dim=1).mean().detach()), rel=1e-9
    )
    assert len(choice.unique()) > 1


def test_without_a_temperature_it_imitates_the_buffer():
    one = learner("tokens", pa_rl(**SMALL, temperature=None))
    batch = one.mixed.sample(8, generator(1))
    expected = one.policy.imitation(batch.observation, batch.action, generator(2)).sum(dim=1).mean()
    assert float(fit_of(one, "policy", batch).loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)


def test_the_critics_loss_by_hand():
    """Temporal difference to the least slow critic at the found argmax, and log mean exp of all candidates."""
    one = learner("flow", pa_rl(**SMALL, weight=0.7, uniform=4, gamma=0.8, subset=None), dtype=torch.float64)
    with torch.no_grad():
        for target in one.agent.q_target.parameters():
            target.mul_(1.5)
    batch = one.mixed.sample(8, generator(1))
    ends, returns = torch.arange(8) % 3 == 0, torch.linspace(-0.3, 0.4, 8).double()
    batch = replace(batch, terminated=ends, returns=returns)
    fit = fit_of(one, "critic", batch)
    again, agent = generator(2), one.agent
    found = ActionSearch(n=6, keep=3, steps=2, rate=0.05)(one.policy, agent.q, batch.next_observation, again)
    ahead = agent.q_target(batch.next_observation, found.best()).amin(dim=0)
    target = batch.reward[:, 0] + 0.8 * torch.where(batch.terminated, 0, ahead)
    q = agent.q(batch.observation, batch.action)
    here = one.policy.propose(batch.observation, 3, again)
    free = agent.q.of(batch.observation, anywhere(WORLD.action, 1, batch.observation, 4, again).action)
    own = agent.q.of(batch.observation, torch.cat([here, found.action], dim=1))
    raised = torch.maximum(own, batch.returns[:, None])
    apart = torch.cat([free, raised], dim=2).exp().mean(dim=2).log() - q
    expected = (0.5 * (q - target).square() + 0.7 * apart).mean(dim=1).sum()
    assert float(fit.loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-9)
    assert (raised != own).any() and (raised == own).any()


def test_without_weight_it_is_temporal_difference():
    one = learner("gaussian", pa_rl(**SMALL, weight=0.0, gamma=0.8), dtype=torch.float64)
    fit = fit_of(one, "critic", one.mixed.sample(8, generator(1)))
    assert set(fit.notes) == {"q", "target"}


def test_no_gradient_passes_from_the_policy_to_the_critics():
    for kind in CLASSES:
        one = learner(kind, pa_rl(**SMALL))
        loss = fit_of(one, "policy", one.mixed.sample(8, generator(1))).loss
        found = torch.autograd.grad(loss, list(one.agent.parameters()), allow_unused=True)
        moved = {name for (name, _), g in zip(one.agent.named_parameters(), found, strict=True) if g is not None}
        assert moved == {f"policy.{name}" for name, _ in one.policy.named_parameters()}


@pytest.mark.parametrize("kind", CLASSES)
def test_it_acts_by_its_search(kind):
    """The best of its own proposals; a row's neighbours change nothing; worlds are played that way."""
    one = learner(kind, pa_rl(**SMALL), chunk=2)
    acting = one.method.acting(one.agent)
    still = Searching(one.policy, one.agent.q, ActionSearch(n=6, keep=6, steps=0))
    keys, seen = torch.tensor([11, 22, 33]), torch.randn(3, 4, generator=generator(1), dtype=torch.float64)
    noise = still.noise(keys, torch.arange(4, 7))
    assert torch.equal(noise[1:2], still.noise(keys[1:2], torch.arange(4, 7)))
    proposed = torch.stack([one.policy.act(seen, noise[:, 2, j]) for j in range(6)], dim=1)
    assert proposed.std(dim=1).max(dim=1).values.min() > 0.05
    best = one.agent.q.of(seen, proposed).mean(dim=0).argmax(dim=1)
    assert_close(still.act(seen, noise[:, 2]), proposed[torch.arange(3), best].detach(), atol=1e-12, rtol=0)
    task = Starts(WORLD)
    sampler = Acted(acting, WORLD)
    whole = sampler.sample([task.at(i) for i in range(3)], 2, seed=5)
    alone = sampler.sample([task.at(1)], 2, seed=5)
    for a, b in zip(whole.outputs[2:4], alone.outputs, strict=True):
        assert_close(a.actions, b.actions, atol=1e-9, rtol=0)
    assert not torch.equal(whole.outputs[2].actions, whole.outputs[3].actions)
    played = one.policy.act  # asked for six proposals in each of two worlds
    asked = []
    one.policy.act = lambda observation, noise: asked.append(len(observation)) or played(observation, noise)
    one.steps_done = 1
    one.begin_phase()
    one.advance()
    assert asked[0] == 12


def test_forked_keys_are_their_own():
    keys = forked(torch.tensor([5, 2**62 + 3, 9]), 1000)
    assert torch.equal(keys[1:2, :7], forked(torch.tensor([2**62 + 3]), 7))
    assert len(keys.unique()) == 3000 and keys.min() >= 0 and keys.max() > 2**61


@pytest.mark.parametrize("kind", CLASSES)
def test_stop_and_resume_in_both_phases(kind):
    """Bit for bit, with chunks, on data and with worlds, in the middle of an episode and of a chunk."""
    straight, states = learner(kind, pa_rl(**SMALL), chunk=2), []
    while straight.steps_done < 3:
        states.append((straight.steps_done, copy.deepcopy(straight.state_dict())))
        straight.advance()
    assert straight.buffer.added > 0 and {done for done, _ in states} == {0, 1, 2}
    stops = [states[4][1], states[-5][1]]
    assert stops[1]["shared"]["collector"]["t"] % 2 == 1
    for state in stops:
        resumed = learner(kind, pa_rl(**SMALL), chunk=2)
        resumed.load_state_dict(state)
        list(resumed.run(3))
        assert torch.equal(weights(resumed), weights(straight))
