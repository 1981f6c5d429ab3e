"""The loop: it learns what is known in closed form, goes on bit for bit, and drives as a Trainer does."""

import copy
import functools
import io
import math

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.menu import Menu, compass
from rlft.environments.pendulum import Pendulum
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Episode
from rlft.methods.cal_ql import cal_ql
from rlft.methods.grpo import grpo
from rlft.methods.sac import sac
from rlft.methods.td3_bc import td3_bc
from rlft.noise import hashed
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.policy import Control, StateTanhGaussian, TanhGaussian
from rlft.rewards.environment import environment_reward
from rlft.runs.drive import Run, drive
from rlft.runs.folder import Cadence, begin
from rlft.runtime.local import Local
from rlft.tasks.starts import Starts
from rlft.training.trainer import Trainer
from rlft.training.trainer import _check as check
from rlft.types import UserError
from tests.offpolicy.chain import Chain, soft_optimal, uniform

GAMMA, ALPHA = 0.8, 0.3


def gaussian(world, **settings):
    head = functools.partial(StateTanhGaussian, std=1.0)
    return Control(world, head=head, width=16, activation=torch.relu, **settings)


def learner(*phases, world=None, chunk=1, **settings):
    world = world or PointMass(horizon=7, gust=0.1)
    usual = {"batch": 16, "interval": 8, "hidden": (16,), "capacity": 64, "seed": 5}
    return Learner(gaussian(world, chunk=chunk), world, phases, **{**usual, **settings})


def weights(one):
    return torch.cat([value.detach().double().flatten() for value in one.agent.state_dict().values()])


def timeless(metrics):
    return {k: v for k, v in metrics.items() if not k.startswith(("seconds", "decisions_per"))}


def learned(method):
    """The control, and the critics' tables, after 1000 updates on the two states."""
    world = Chain()
    control = Control(world, width=8, layers=1)
    phases = [Phase(method, worlds=8, utd=0.5)]
    settings = {"batch": 64, "interval": 1000, "lr": 0.02, "hidden": (), "capacity": 4000, "dtype": torch.float64}
    one = Learner(control, world, phases, **settings)
    list(one.run(2))
    seen = torch.eye(2, dtype=torch.float64)
    return control.actor(seen), one.agent.q.nets(seen).detach()


@pytest.mark.slow
def test_sac_finds_the_soft_optimum():
    """Two states, one action that ends the episode, and episodes that the horizon cuts off at 6 steps.

    Values must be those of the world without a horizon (0.8⁶ = 0.26 of them lies beyond it), and nothing must be
    expected after the end.
    """
    logits, q = learned(sac(gamma=GAMMA, tau=0.2, alpha=ALPHA, alpha_lr=0.0))
    expected = soft_optimal(GAMMA, ALPHA)
    assert expected.std() > 0.2
    assert_close(q, expected.expand(2, 2, 2), atol=0.03, rtol=0)
    assert_close(logits.softmax(-1), (expected / ALPHA).softmax(-1), atol=0.02, rtol=0)


@pytest.mark.slow
def test_windows_of_three_steps_learn_the_value_of_the_policy():
    """A temperature at which the policy is uniform whatever it learns, and no entropy in the targets: longer windows
    are on-policy then, and Q is that of the uniform policy."""
    _, q = learned(sac(gamma=GAMMA, tau=0.2, alpha=100.0, alpha_lr=0.0, steps=3, backed_up=0.0))
    expected = uniform(GAMMA)
    assert (expected - soft_optimal(GAMMA, ALPHA)).abs().max() > 0.2
    # a target sums three rewards of random actions: the last few batches leave this much
    assert_close(q, expected.expand(2, 2, 2), atol=0.1, rtol=0)


PHASES = {
    "one world": ([Phase(sac(), anything=4, warmup=6)], 1),
    "many worlds, chunks": ([Phase(sac(steps=5), worlds=3, utd=0.7, warmup=4)], 3),
    "two phases": (
        [Phase(sac(alpha_lr=0.0), steps=1, worlds=2), Phase(sac(), worlds=4, utd=2.0, restart=("critic",))],
        1,
    ),
}


def saved(one):
    """Through the bytes of a file, read without running code."""
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("name", PHASES)
def test_stop_and_resume_is_the_straight_run(name):
    """At every iteration: inside a step, a phase, an episode, a chunk of actions, and after the ring is full."""
    phases, chunk = PHASES[name]
    straight, log, states = learner(*phases, chunk=chunk, capacity=16), [], []
    while straight.steps_done < 3:
        states.append(saved(straight))
        metrics = straight.advance()
        log += [metrics] if metrics else []
    assert straight.buffer.added > straight.buffer.capacity
    assert (weights(straight) - weights(learner(*phases, chunk=chunk))).abs().max() > 1e-3
    for state in states:
        resumed = learner(*phases, chunk=chunk, capacity=16)
        resumed.load_state_dict(copy.deepcopy(state))
        rest = list(resumed.run(3))
        assert torch.equal(weights(resumed), weights(straight))
        for column in straight.buffer.columns:
            assert torch.equal(resumed.buffer.columns[column], straight.buffer.columns[column])
        for mine, theirs in zip(rest, log[-len(rest) :], strict=True):
            assert timeless(mine) == timeless(theirs)


def test_counts():
    """100 environment steps at utd 0.5 after a warm-up of 21: 40 updates of the critic, a fourth of the actor."""
    one = learner(Phase(sac(actor_every=4), utd=0.5, warmup=21), interval=100, world=Pendulum(horizon=10))
    metrics = one.step()
    assert one.updated == 40
    assert metrics["decisions/drawn"] == 100 and metrics["rows/drawn"] == 10 and metrics["length"] == 10
    assert metrics["updates"] == 40 + 10


def test_worlds_do_not_depend_on_their_neighbours():
    """Three worlds side by side play what each plays alone, before anything is learned."""
    together = learner(Phase(sac(), worlds=3, warmup=1000))
    alone = learner(Phase(sac(), worlds=1, warmup=1000))
    first = [together.collector.step(together.policy) for _ in range(7)]
    wave = {problem.index: episode for ended in first for problem, episode in ended}
    one = {}
    while len(one) < 3:
        one |= {problem.index: episode for problem, episode in alone.collector.step(alone.policy)}
    assert set(wave) == set(one) == {0, 1, 2}
    for index, episode in wave.items():
        # products of float32 differ in their last digits with the number of rows
        assert_close(episode.observations, one[index].observations, atol=1e-5, rtol=0)
    assert not torch.equal(wave[0].observations, wave[1].observations)


def test_worlds_play_what_the_policy_samples():
    """Same start, same noise of policy and world at every step: the episode is the rollout of its problem."""
    one = learner(Phase(sac(), worlds=3, warmup=1000), world=PointMass(horizon=40, gust=0.1), chunk=3)
    ended = {}
    while len(ended) < 3:
        ended |= {problem.index: episode for problem, episode in one.collector.step(one.policy)}
    rows = one.policy.sample([one.task.at(index) for index in range(3)], 1, seed=5)
    for index, episode in enumerate(rows.outputs):
        assert len(episode) == len(ended[index]) and episode.terminated == ended[index].terminated
        # the collector acts in float32, and 40 steps carry its rounding on
        assert_close(ended[index].observations, episode.observations, atol=1e-4, rtol=0)
        assert_close(ended[index].rewards, episode.rewards, atol=1e-4, rtol=0)


def test_a_policy_that_learns_through_critics_leaves_them_alone():
    one = learner(Phase(sac()))
    one.collector.step(one.policy)
    critic, actor = one.method.descents
    batch, generator = one.buffer.sample(8, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    before = copy.deepcopy(one.agent.state_dict())
    one.descend(actor, actor.loss(one.agent, batch, generator))
    moved = {n for n, value in one.agent.state_dict().items() if not torch.equal(value, before[n])}
    assert moved and all(n.startswith(("policy.", "duals.")) for n in moved)
    assert all(p.grad is None for p in one.agent.q.parameters())
    before = copy.deepcopy(one.agent.state_dict())
    one.descend(critic, critic.loss(one.agent, batch, generator))
    moved = {n for n, value in one.agent.state_dict().items() if not torch.equal(value, before[n])}
    assert moved and all(n.startswith("q.") for n in moved)


def test_targets_follow():
    one = learner(Phase(sac()))
    slow, fast = (next(net.parameters()).detach() for net in (one.agent.q_target, one.agent.q))
    assert torch.equal(slow, fast)
    with torch.no_grad():
        fast += 1.0
    one.agent.follow(0.25)
    assert_close(fast - slow, torch.full_like(slow, 0.75), atol=1e-6, rtol=0)


def test_a_run_folder(tmp_path):
    """Stopped in the middle and driven again, it ends where a straight run does, with its evaluations and report."""

    def run():
        one = learner(Phase(sac(), warmup=12), interval=20)
        return Run(one, 3, Starts(one.environment, split="test"), reward=environment_reward, problems=4)

    begin(tmp_path / "straight", {})
    straight = run()
    found = drive(straight, tmp_path / "straight", quiet=True)
    assert set(found) == {"before", "after"}
    assert (tmp_path / "straight" / "report.html").stat().st_size > 1000
    begin(tmp_path / "stopped", {})
    first = run()
    first.trainer.advance = _interrupted(first.trainer.advance, 33)
    with pytest.raises(KeyboardInterrupt):
        drive(first, tmp_path / "stopped", Cadence(save=1), quiet=True)
    again = run()
    drive(again, tmp_path / "stopped", quiet=True)
    assert torch.equal(weights(again.trainer), weights(straight.trainer))


def _interrupted(advance, after):
    left = iter(range(after))

    def one():
        if next(left, None) is None:
            raise KeyboardInterrupt
        return advance()

    return one


class Elsewhere(Local):
    """A runtime that draws elsewhere, as far as it is asked before anything runs."""

    begun = rewarded = close = Local.sum_


def test_what_is_refused():
    with pytest.raises(UserError, match=r"method sac needs a policy that acts state by state"):
        Learner(torch.nn.Linear(1, 1), Pendulum(), [Phase(sac())])
    # set afterwards, because annotations are checked here and not where the library is used
    mistaken, trainer = Phase(sac()), Trainer(gaussian(Pendulum()), grpo(), Starts(Pendulum()), environment_reward)
    object.__setattr__(mistaken, "method", grpo())
    trainer.method = sac()
    with pytest.raises(UserError, match="does not learn from a buffer"):
        learner(mistaken)
    with pytest.raises(UserError, match="learns from a buffer: give it to a Learner"):
        check(trainer)
    with pytest.raises(UserError, match="each but the last a number of steps"):
        learner(Phase(sac()), Phase(sac()))
    with pytest.raises(UserError, match="give these methods equal ones"):
        learner(Phase(sac(), steps=1), Phase(sac(critics=3)))
    with pytest.raises(UserError, match="in one process: start it without torchrun, and without --ray"):
        learner(Phase(sac()), runtime=Elsewhere())
    with pytest.raises(UserError, match="learns from data alone"):
        Phase(sac(), worlds=0)


def test_every_update_has_minibatches_of_its_own(monkeypatch):
    """By its number in the whole run: several updates after one step of the world, and over the steps of the loop."""
    one, seeds = learner(Phase(sac(), utd=3.0)), []
    draw = one.mixed.sample

    def sample(count, generator, *window):
        seeds.append(generator.initial_seed())
        return draw(count, generator, *window)

    monkeypatch.setattr(one.mixed, "sample", sample)
    list(one.run(2))
    assert len(seeds) > 40
    assert seeds == [hashed("update", 5, number) for number in range(len(seeds))]
    assert len(set(seeds)) == len(seeds)


def demonstrated(world, rewards=(1.0, 1.0, 1.0)):
    """One episode that ends, of actions beyond the bounds."""
    steps, size = len(rewards), world.observation_size
    action = 9 * torch.ones(steps, world.action.size, dtype=torch.float64)
    return [Episode(torch.zeros(steps + 1, size).double(), action, torch.tensor(rewards).double(), True, False)]


def test_returns_have_the_discount_of_their_phase():
    world = PointMass(horizon=7)
    phases = [Phase(cal_ql(gamma=g, n=2), steps=1, worlds=0, offline=1.0) for g in (0.5, 0.99)]
    phases.append(Phase(sac(), worlds=1))
    one = learner(*phases, world=world, data=demonstrated(world), interval=2)
    returns = one.offline.columns["returns"]
    assert returns.tolist() == [1.75, 1.5, 1]
    one.step()
    assert returns.tolist() == pytest.approx([2.9701, 1.99, 1])
    again = learner(*phases, world=world, data=demonstrated(world), interval=2)
    again.load_state_dict(copy.deepcopy(one.state_dict()))
    assert torch.equal(again.offline.columns["returns"], returns)
    # a method that reads none leaves them
    one.step()
    assert one.method.name == "sac" and returns.tolist() == pytest.approx([2.9701, 1.99, 1])


@pytest.mark.parametrize("head", [TanhGaussian, StateTanhGaussian])
def test_td3_bc_learns_with_either_head_and_leaves_what_it_does_not_reach(head):
    world = Pendulum(horizon=5)
    control = Control(world, head=head, width=8)
    settings = {"batch": 8, "interval": 20, "hidden": (8,), "capacity": 64, "lr": 1e-2, "data": demonstrated(world)}
    one = Learner(control, world, [Phase(td3_bc(weight=0.0), worlds=0, offline=1.0)], **settings)
    before = {name: weight.clone() for name, weight in control.state_dict().items()}
    first, last = one.step(), list(one.run(6))[-1]
    assert last["imitation"] < 0.5 * first["imitation"]
    assert not torch.equal(control.actor.biases[-1], before["actor.biases.2"])
    if head is TanhGaussian:
        assert torch.equal(control.head.log_std, before["head.log_std"])


def test_td3_bc_needs_continuous_actions():
    world = Menu(PointMass(horizon=5), compass(5))
    with pytest.raises(UserError, match="td3_bc needs a policy that has an action without noise that is continuous"):
        Learner(Control(world, width=8), world, [Phase(td3_bc())])


def test_learning_stops_where_it_is_not_finite():
    world = PointMass(horizon=7)
    broken = demonstrated(world, rewards=(1.0, math.nan))
    one = learner(Phase(td3_bc(), worlds=0, offline=1.0), world=world, data=broken, interval=2)
    steps = one.run(5)
    assert math.isnan(next(steps)["loss/critic"])
    with pytest.raises(UserError, match=r"not finite at step 1 .*loss/critic nan.* lower --lr"):
        next(steps)
    assert one.steps_done == 1


def test_pixels_of_a_world_are_stored_as_it_says():
    class Pixels(PointMass):
        observation_dtype = torch.uint8

        def observe(self, state):
            return (100 * state + 128).round().clamp(0, 255)

    one = learner(Phase(sac(), anything=8, warmup=4), world=Pixels(horizon=7), data=())
    list(one.run(2))
    assert one.buffer.columns["observation"].dtype == torch.uint8
    assert one.buffer.columns["observation"][:8].float().std() > 1
