"""Learning inside a model: shares of a batch, lengths of rollouts, when it is fitted, a run that was stopped."""

import copy

import pytest
import torch

from rlft.environments.menu import Menu, compass
from rlft.environments.point_mass import PointMass
from rlft.environments.swinging import SwingUp
from rlft.methods.lift import lift
from rlft.methods.sac import sac
from rlft.offpolicy.learner import Learner, Phase
from rlft.policies.control.kinds import of_kind
from rlft.policies.control.policy import Control
from rlft.types import UserError
from rlft.worldmodels.black_box import BlackBox
from rlft.worldmodels.inside import KEPT, Imagination, Plan, model_of
from rlft.worldmodels.physics import Physics

WORLD = SwingUp(horizon=6, known=SwingUp(mass=0.5))
SMALL = {"refit": 5, "fits": 2, "unroll": 2, "starts": 3, "every": 4, "horizon": 3, "grows": 2, "members": 2}


def learner(method, seed=3, **phase):
    policy = of_kind("gaussian", WORLD, 8, seed, std=1.0)
    settings = {"batch": 50, "interval": 8, "hidden": (8,), "capacity": 64, "seed": seed}
    return Learner(policy, WORLD, [Phase(method, **phase)], **settings)


def weights(one):
    return torch.cat([value.detach().double().flatten() for value in one.agent.state_dict().values()])


def test_rollouts_grow_with_the_model():
    plan = Plan(horizon=10, grows=3)
    assert [plan.ahead(fitted) for fitted in (1, 2, 3, 4, 9)] == [1, 4, 7, 10, 10]
    assert Plan(horizon=7, grows=0).ahead(1) == 7
    for wrong in ({"real": 1.0}, {"real": -0.1}, {"fits": 0}):
        with pytest.raises(UserError):
            Plan(**wrong)


def test_six_of_a_hundred_steps_of_a_batch_are_real():
    """Of 50 windows 3: the others begin in what was imagined."""
    one = learner(lift(**SMALL), warmup=4)
    one.step()
    inside = one.inside
    batch, _ = inside.windows(one.agent, one.mixed, 50, torch.Generator().manual_seed(0), one.drawn)
    real = (batch.next_observation[:, None] == one.buffer.columns["next_observation"][None]).all(-1).any(-1)
    assert real.tolist() == [False] * 47 + [True] * 3
    none, _ = inside.windows(one.agent, one.mixed, 8, torch.Generator().manual_seed(0), one.drawn)
    assert len(none) == 8
    assert not bool(batch.cut[:47].any())


def test_when_it_is_fitted_and_asked():
    """A step of the phase is a real step and one update: fitted at 4 real steps, at 9 and at 14; a round with each fit
    and every 4 updates, of 3 starts; the rollouts have 1, 2 and then 3 steps."""
    one, fits, rounds = learner(lift(**SMALL), warmup=4), [], []
    fit, imagine = one.inside.fit, one.inside.imagine
    one.inside.fit = lambda *given: (fits.append(one.drawn), fit(*given))[1]
    one.inside.imagine = lambda *given: (
        rounds.append((one.drawn, one.inside.plan.ahead(one.inside.fitted))),
        imagine(*given),
    )[1]
    while one.drawn < 15:
        one.advance()
    assert fits == [4, 9, 14]
    assert rounds == [(4, 1), (8, 1), (9, 2), (12, 2), (14, 3)]
    assert one.inside.held.added == 3 * (1 + 1 + 2 + 2 + 3)
    assert one.inside.held.capacity == KEPT * 3 * 3


def test_imagined_steps_are_the_models():
    """With the truth for a model and hardly any noise, an imagined step is what the world would have done."""
    truth = SwingUp(horizon=6)
    one = learner(lift(**SMALL), warmup=4)
    one.inside.model = Physics(truth, truth, [4], 0)
    one.inside.model.net.biases[-1].data[1:] = -9.0
    one.inside.plan = Plan(**{**vars(one.inside.plan), "fits": 1, "lr": 1e-9})
    one.step()
    held = one.inside.held.columns
    count = len(one.inside.held)
    state = truth.coordinates(held["observation"][:count].double())
    step = truth.step(state, truth.action.stretch(held["action"][:count].double()), 0, torch.arange(count))
    assert float((truth.observe(step.state) - held["next_observation"][:count]).abs().max()) < 0.02
    assert float((step.reward - held["reward"][:count]).abs().max()) < 0.02


@pytest.mark.parametrize("model", ["physics", "black_box"])
def test_stop_and_resume_is_the_straight_run(model):
    """Before the first fit, and behind one: model, its optimiser and what was imagined are all in the state."""
    method = lift(**SMALL, model=model)
    straight, states = learner(method, warmup=4), []
    while straight.steps_done < 2:
        states.append(copy.deepcopy(straight.state_dict()))
        straight.advance()
    for state in (states[1], states[6], states[11]):
        resumed = learner(method, warmup=4)
        resumed.load_state_dict(state)
        list(resumed.run(2))
        assert torch.equal(weights(resumed), weights(straight))
        for ours, theirs in zip(resumed.inside.model.parameters(), straight.inside.model.parameters(), strict=True):
            assert torch.equal(ours, theirs)


def test_which_model():
    assert isinstance(model_of(None, WORLD, [4], 2, 0), Physics)
    assert isinstance(model_of(None, PointMass(), [4], 2, 0), BlackBox)
    assert isinstance(model_of("black_box", WORLD, [4], 2, 0), BlackBox)
    with pytest.raises(UserError, match="use the model black_box"):
        model_of("physics", PointMass(), [4], 2, 0)


def test_chunks_and_lists_are_refused():
    point = PointMass()
    for world, policy in (
        (point, of_kind("gaussian", point, 8, 0, chunk=2)),
        (Menu(point, compass(5)), Control(Menu(point, compass(5)), width=8)),
    ):
        agent = Learner(policy, world, [Phase(sac(), worlds=1)], hidden=(4,), capacity=9).agent
        with pytest.raises(UserError, match="single continuous actions"):
            Imagination(BlackBox(point, [4], 2, 0), agent, Plan(), 0)
