"""An actor in a latent model: its λ-returns, what it imagines, what it believes as it acts, and what moves it."""

import functools

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages.gae import gae_scan
from rlft.environments.acted import Acted, Memory
from rlft.environments.point_mass import PointMass
from rlft.environments.protocol import Discrete
from rlft.methods.dreamer import dreamer
from rlft.methods.repo import repo
from rlft.methods.repo_align import repo_align
from rlft.offpolicy.method import Agent
from rlft.policies.control.policy import StateTanhGaussian
from rlft.tasks.starts import Starts
from rlft.types import UserError
from rlft.worldmodels.imagination import Centred, Dreamer, imagine, lambda_return
from rlft.worldmodels.learning import dreaming
from rlft.worldmodels.rssm import RSSM
from tests.worldmodels.test_rssm import draws, windows

WORLD = PointMass(horizon=6)


def policy(world=WORLD, **settings):
    model = RSSM(4, 2, deter=6, stoch=3, width=7, seed=1)
    return Dreamer(world, model, functools.partial(StateTanhGaussian, std=0.7), width=8, **settings).double()


def latents(of, count=3, places=2):
    return of.model.observe(draws(count, places, 4), draws(count, places - 1, 2, seed=7), draws(count, places, 3))


def test_lambda_returns_by_hand():
    reward, value = torch.tensor([[1.0, 2.0]]), torch.tensor([[9.0, 10.0, 20.0]])
    discount = torch.tensor([[0.5, 0.25]])
    # G_1 = 2 + 0.25 · 20 = 7; G_0 = 1 + 0.5 (0.4 · 10 + 0.6 · 7) = 5.1
    assert_close(lambda_return(reward, value, discount, 0.6), torch.tensor([[5.1, 7.0]]))
    assert_close(lambda_return(reward, value, discount, 0.0), torch.tensor([[6.0, 7.0]]))
    assert_close(lambda_return(reward, value, discount, 1.0), torch.tensor([[4.5, 7.0]]))


def test_lambda_returns_are_gaes_where_a_world_ends():
    reward, value = draws(4, 5), draws(4, 6, seed=2)
    value[:, -1] = 0
    gae = gae_scan(reward, value[:, :-1], torch.ones(4, 5, dtype=torch.bool), 0.9, 0.7)
    assert_close(lambda_return(reward, value, torch.full_like(reward, 0.9), 0.7), gae + value[:, :-1])


def test_a_dream_is_the_model_step_after_step():
    one, begun = policy(), latents(policy())
    dream = imagine(one, begun, 3, 0.9, 0.8, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(4)
    h, z = begun.h.flatten(0, 1), begun.z.flatten(0, 1)
    discounts = []
    for t in range(3):
        here = torch.cat([h, z], dim=-1)
        assert_close(dream.features[:, t], here)
        drawn = one.head.candidates(one.actor(here), 1, generator)
        h, z = one.model.step(h, z, drawn.action[:, 0, 0], torch.randn(6, 3, generator=generator, dtype=torch.float64))
        assert_close(dream.entropy[:, t], -drawn.log_prob[:, 0])
        discounts.append(0.9 * one.model.going(torch.cat([h, z], dim=-1))[:, 0].sigmoid())
    assert_close(dream.weight, torch.stack([torch.ones(6).double(), discounts[0], discounts[0] * discounts[1]], dim=1))
    reward, value = one.model.reward(dream.features[:, 1:])[..., 0], one.value(dream.features)[..., 0]
    assert_close(dream.returns, lambda_return(reward, value, torch.stack(discounts, dim=1), 0.8))


def test_a_dream_of_one_step_has_the_whole_slope():
    """With one imagined step nothing is cut, and differences find the gradient exactly."""
    one, begun = policy(), latents(policy())
    one.latents = begun
    actor, value = dreaming(1, 0.9, 0.8, 0.1, 1.0)
    agent = Agent(one, WORLD, repo(), hidden=[4], seed=0)
    bias = one.actor.biases[-1]
    (slope,) = torch.autograd.grad(actor.loss(agent, windows(), torch.Generator().manual_seed(4)).loss, [bias])
    found = torch.zeros_like(bias)
    for i in range(len(bias)):
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                bias[i] += step
                ends.append(actor.loss(agent, windows(), torch.Generator().manual_seed(4)).loss)
                bias[i] -= step
        found[i] = (ends[0] - ends[1]) / 2e-6
    assert_close(found, slope, atol=1e-7, rtol=1e-5)
    dream = one.dream
    target = (dream.weight * 0.5 * (one.value(dream.features[:, :-1])[..., 0] - dream.returns) ** 2).mean()
    assert_close(value.loss(agent, windows(), torch.Generator()).loss, target)


def test_each_descent_moves_its_own():
    """The probe reaches no latent: RePo's model has a gradient of the decoder's that is the picture's alone."""
    world = PointMass(horizon=6)
    for method, moved in ((repo(), "model"), (dreamer(), "model"), (repo_align(), "policy")):
        agent = Agent(policy(world), world, method, hidden=[4], seed=0)
        names = {descent.name: descent.parameters(agent) for descent in method.descents}
        assert moved in names
        for parameters in names.values():
            assert len({id(p) for p in parameters}) == len(parameters)
        assert sum(p.numel() for p in agent.q.parameters()) == 0
    encoder = {id(p) for p in agent.policy.model.encoder.parameters()}
    assert {id(p) for p in names["policy"]} == encoder


def test_acting_believes_what_sequences_believe():
    """The belief kept on the way is the latent of the sequence, with posteriors where they are centred."""
    one = policy()
    rollouts = Acted(Centred(one), WORLD).sample([Starts(WORLD).at(i) for i in range(3)], 1, 0)
    memory, alive = Memory.blank(one, 3), torch.arange(3)
    seen = torch.stack([e.observations for e in rollouts.outputs])
    done = WORLD.action.unit(torch.stack([e.actions for e in rollouts.outputs]))
    whole = one.model.observe(seen, done, torch.zeros(3, 7, 3, dtype=torch.float64))
    for t in range(6):
        belief = memory.after(one, seen[:, t], alive)
        assert_close(belief[:, :6], whole.h[:, t])
        assert_close(belief[:, 6:9], whole.posterior.mean[:, t])
        action = one.act(belief, torch.zeros(3, 2, dtype=torch.float64))
        assert_close(action[:, 0], done[:, t])
        memory.did(one, action, alive)


def test_a_row_does_not_depend_on_its_neighbours():
    one, starts = policy(), [Starts(WORLD).at(i) for i in range(4)]
    together = Acted(one, WORLD).sample(starts, 1, 0).outputs
    alone = [Acted(one, WORLD).sample([start], 1, 0).outputs[0] for start in starts]
    for first, second in zip(together, alone, strict=True):
        assert torch.equal(first.actions, second.actions)


def test_lists_of_actions_are_refused():
    class Listed(PointMass):
        action = Discrete(3)

    with pytest.raises(UserError, match="list of actions"):
        policy(Listed())


def test_it_is_saved(tmp_path):
    from safetensors.torch import load_file

    one = policy()
    one.save(tmp_path / "model")
    held = load_file(tmp_path / "model" / "weights.safetensors")
    assert held.keys() == one.state_dict().keys()
