"""LIFT's parts: cuts that are left out, a world that sees no noise, and what it degenerates into."""

import torch
from torch.testing import assert_close

from rlft.environments.point_mass import PointMass
from rlft.methods.lift import lift
from rlft.methods.sac import sac
from rlft.offpolicy.actors import centred, uncut
from rlft.offpolicy.buffer import Batch
from rlft.offpolicy.learner import Learner, Phase
from rlft.offpolicy.method import Descent, Fit
from rlft.policies.control.kinds import of_kind

WORLD = PointMass(horizon=5, gust=0.1)


def learner(method, **settings):
    usual = {"batch": 16, "interval": 12, "hidden": (8,), "capacity": 64, "seed": 3}
    return Learner(of_kind("gaussian", WORLD, 8, 3, std=1.0), WORLD, [Phase(method)], **{**usual, **settings})


def weights(one):
    return torch.cat([value.detach().double().flatten() for value in one.agent.state_dict().values()])


def windows(cut):
    rows, nothing = len(cut), torch.zeros(len(cut), 1)
    reward = torch.arange(1.0, rows + 1)[:, None]
    on = torch.ones(rows, 1, dtype=torch.bool)
    return Batch(
        nothing,
        nothing[..., None],
        reward,
        on,
        nothing,
        on[:, 0],
        nothing[:, 0],
        torch.tensor(cut),
        nothing[:, None, :][:, :0],
    )


def test_windows_that_were_cut_off_are_left_out():
    """Rewards 1, 2, 3, of which the second was cut off: a mean of 2 over two; where all were, nothing is learned."""
    weight = torch.ones(1, requires_grad=True)
    seen = []

    def loss(agent, batch, generator):
        seen.append(len(batch))
        return Fit((batch.reward.square() * weight).mean())

    masked, agent = uncut(Descent(loss)).loss, learner(sac()).agent
    generator = torch.Generator()
    assert_close(masked(agent, windows([False, True, False]), generator).loss.detach(), torch.tensor(5.0))
    none = masked(agent, windows([True, True]), generator).loss
    assert float(none) == 0 and float(torch.autograd.grad(none, weight)[0]) == 0
    assert_close(masked(agent, windows([False, False]), generator).loss.detach(), torch.tensor(2.5))
    assert seen == [2, 2, 2]


def test_the_buffer_knows_which_episodes_were_cut_off():
    one = learner(sac())
    one.step()
    held = one.buffer.columns
    assert held["cut"][:12].tolist() == [step % 5 == 4 for step in range(12)]
    assert not bool((held["cut"] & held["terminated"]).any())
    again = learner(sac())
    again.load_state_dict(one.state_dict())
    assert torch.equal(again.buffer.columns["cut"], held["cut"])


def test_the_world_sees_no_noise():
    one = learner(lift(real=1.0))
    one.step()
    seen, action = one.buffer.columns["observation"][11:12], one.buffer.columns["action"][11]
    before = learner(lift(real=1.0))
    before.advance()
    first = centred(before.agent).act(before.buffer.columns["observation"][:1], torch.zeros(1, 0))
    assert torch.equal(one.buffer.columns["action"][0], before.buffer.columns["action"][0])
    assert first.shape == (1, 1, 2) and seen.shape[0] == 1 and action.shape == (2,)
    fresh = of_kind("gaussian", WORLD, 8, 3, std=1.0)
    assert torch.equal(one.buffer.columns["action"][0], fresh.centre(one.buffer.columns["observation"][:1])[0, 0])


def test_without_a_model_without_cuts_and_with_draws_it_is_sac():
    """Until the first episode is cut off, to the bit; and not after."""
    plain, ours = learner(sac(alpha=0.1), interval=4), learner(lift(real=1.0, acted="drawn"), interval=4)
    plain.step(), ours.step()
    assert torch.equal(weights(plain), weights(ours))
    for _ in range(3):
        plain.step(), ours.step()
    assert not torch.equal(weights(plain), weights(ours))
