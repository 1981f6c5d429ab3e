"""The recurrent state-space model: its recurrence, its terms, and what each of them moves."""

import pytest
import torch
from torch.testing import assert_close

from rlft.environments.protocol import Box
from rlft.losses.divergence import gaussian_kl
from rlft.offpolicy.buffer import Batch, Buffer
from rlft.worldmodels.rssm import LEAST, RSSM, Cell, Gaussian, averaged, picture, sequences, terms


def model(**settings):
    return RSSM(5, 2, **{"deter": 6, "stoch": 3, "width": 7, "seed": 1, **settings}).double()


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def windows(steps=4, terminated=(True, False)):
    """Two windows of four steps, the second of which ends after two."""
    valid = torch.tensor([[True] * 4, [True, True, False, False]])
    return Batch(
        observation=draws(2, 5, seed=1),
        action=draws(2, 4, 2, seed=2).tanh() * valid[..., None],
        reward=draws(2, 4, seed=3) * valid,
        valid=valid,
        next_observation=draws(2, 5, seed=4),
        terminated=torch.tensor(terminated),
        returns=torch.zeros(2, dtype=torch.float64),
        cut=torch.zeros(2, dtype=torch.bool),
        path=draws(2, 4, 5, seed=5),
    )


def test_the_cell_is_torchs():
    ours, theirs = Cell(4, 3, seed=2), torch.nn.GRUCell(4, 3)
    pairs = {"weight_ih": ours.inward, "weight_hh": ours.onward, "bias_ih": ours.bias, "bias_hh": ours.bias_onward}
    x, h = torch.randn(5, 4), torch.randn(5, 3)
    # torch has (reset, update, new), ours (update, reset, new)
    order = torch.tensor([3, 4, 5, 0, 1, 2, 6, 7, 8])
    theirs.load_state_dict({name: value.detach()[order] for name, value in pairs.items()})
    assert_close(ours(x, h), theirs(x, h))


def test_a_deviation_is_never_below_the_least():
    found = Gaussian.of(torch.tensor([[2.0, -1.0, 0.0, -50.0]]))
    assert_close(found.mean, torch.tensor([[2.0, -1.0]]))
    assert_close(found.std, torch.tensor([[0.693147 + LEAST, LEAST]]))
    assert_close(found.draw(torch.tensor([[1.0, 2.0]])), torch.tensor([[2.793147, -0.8]]))


def test_latents_are_one_step_after_the_other():
    one, seen, done, noise = model(), draws(2, 3, 5), draws(2, 2, 2, seed=7), draws(2, 3, 3, seed=8)
    latents = one.observe(seen, done, noise)
    h = z = None
    for t in range(3):
        action = torch.zeros(2, 2, dtype=torch.float64) if t == 0 else done[:, t - 1]
        zeros = torch.zeros(2, 6, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64)
        h = one.onward(*(zeros if t == 0 else (h, z)), action)
        q = one.believed(h, one.embed(seen[:, t]))
        z = q.mean + q.std * noise[:, t]
        assert_close(latents.h[:, t], h)
        assert_close(latents.z[:, t], z)
        assert_close(latents.prior.mean[:, t], one.foreseen(h).mean)
    assert_close(latents.features, torch.cat([latents.h, latents.z], dim=-1))


def test_what_is_foreseen_is_what_is_believed_where_nothing_is_learned_from_seeing():
    """If q = p, a roll-out that sees and one that does not are the same, and the KL is 0."""
    one = model()
    one.believed = lambda h, embedded: one.foreseen(h)
    done, noise = draws(2, 3, 2, seed=7), draws(2, 4, 3, seed=8)
    latents = one.observe(draws(2, 4, 5), done, noise)
    h, z = latents.h[:, 0], latents.z[:, 0]
    for t in range(3):
        h, z = one.step(h, z, done[:, t], noise[:, t + 1])
        assert torch.equal(h, latents.h[:, t + 1]) and torch.equal(z, latents.z[:, t + 1])
    assert_close(gaussian_kl(*latents.posterior, *latents.prior), torch.zeros(2, 4, dtype=torch.float64))


def test_the_terms_by_hand():
    one, batch = model(), windows()
    seen, there = sequences(batch)
    assert there.tolist() == [[True] * 5, [True, True, True, False, False]]
    assert torch.equal(seen[:, 0], batch.observation) and torch.equal(seen[:, 1:], batch.path)
    latents = one.observe(seen, batch.action, draws(2, 5, 3, seed=9))
    found = terms(one, batch, latents, 0.5)
    places = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]
    after = latents.features[:, 1:]
    errors = [0.5 * (one.reward(after[b, t])[0] - batch.reward[b, t]) ** 2 for b, t in places]
    assert_close(found.reward, torch.stack(errors).mean())
    # the world ended after the last step of the first window alone
    logits = torch.stack([one.going(after[b, t])[0] for b, t in places])
    chance = torch.where(torch.tensor([t == 3 for _, t in places]), 1 - logits.sigmoid(), logits.sigmoid())
    assert_close(found.going, -chance.log().mean())
    whole = gaussian_kl(*latents.posterior, *latents.prior)
    assert_close(found.kl, torch.cat([whole[0], whole[1, :3]]).mean())
    drawn = 0.5 * (one.decoder(latents.features) - seen).square().sum(dim=-1)
    assert_close(picture(one, batch, latents.features), torch.cat([drawn[0], drawn[1, :3]]).mean())


def test_steps_that_there_are_not_have_no_say():
    one, batch = model(), windows()
    other = batch.path.clone()
    other[1, 2:] = 99.0
    changed = Batch(**{**vars(batch), "path": other, "reward": batch.reward + 5.0 * ~batch.valid})
    noise = draws(2, 5, 3, seed=9)
    for first, second in zip(
        *(terms(one, b, one.observe(sequences(b)[0], b.action, noise), 0.8) for b in (batch, changed)), strict=True
    ):
        assert_close(first, second)


def test_the_probe_moves_the_decoder_alone():
    one, batch = model(), windows()
    latents = one.observe(sequences(batch)[0], batch.action, draws(2, 5, 3, seed=9))
    for features, reached in ((latents.features.detach(), False), (latents.features, True)):
        loss = picture(one, batch, features)
        gradients = torch.autograd.grad(loss, list(one.parameters()), allow_unused=True, retain_graph=True)
        named = zip((name for name, _ in one.named_parameters()), gradients, strict=True)
        moved = {name.split(".")[0] for name, g in named if g is not None and g.abs().max() > 0}
        assert ("decoder" in moved) and (({"encoder", "cell", "posterior"} <= moved) is reached)
        assert reached or moved == {"decoder"}


def test_pixels_are_scaled():
    plain, pixels = model(), model(scale=255.0)
    seen = draws(3, 5).abs()
    assert_close(pixels.embed(255 * seen), plain.embed(seen))


def test_averages_of_what_is_there():
    assert averaged(torch.tensor([[1.0, 2.0], [4.0, torch.nan]]), torch.tensor([[True, True], [True, False]])) == 7 / 3


def test_whole_windows_hold_what_was_seen_on_the_way():
    buffer = Buffer(8, 1, Box((-1.0,), (1.0,)), observations=torch.uint8)
    after = torch.tensor([-1])
    for t in range(5):  # an episode of three steps, and one of two
        seen = torch.tensor([[float(10 * t)]])
        ended = torch.tensor([t == 2])
        after = buffer.add(seen, torch.tensor([[t / 10]]), torch.tensor([float(t)]), seen + 1, ended, after)
        after = torch.tensor([-1]) if t == 2 else after
    batch = buffer.windows(torch.tensor([0, 1, 3]), steps=3, chunk=3, whole=True)
    assert batch.path[..., 0].tolist() == [[1, 11, 21], [11, 21, 21], [31, 41, 41]]
    assert batch.valid.tolist() == [[True] * 3, [True, True, False], [True, True, False]]
    assert_close(batch.action[..., 0], torch.tensor([[0, 0.1, 0.2], [0.1, 0.2, 0], [0.3, 0.4, 0]]))
    assert batch.terminated.tolist() == [True, True, False]
    assert buffer.columns["observation"].dtype == torch.uint8 and batch.path.dtype == torch.float32
    assert buffer.windows(torch.tensor([0, 1]), steps=3).path.shape == (2, 0, 1)
    both = Batch.concat([batch, batch])
    assert both.path.shape == (6, 3, 1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_shares_of_the_gradient(share):
    """The prior gets `share` of the KL's gradient, the posterior the rest, and the value is that of the KL."""
    from rlft.losses.divergence import balanced_kl

    m, s, pm, ps = (draws(4, 3, seed=i).requires_grad_() for i in range(4))
    q, p = (m, s.abs() + 0.2), (pm, ps.abs() + 0.3)
    whole = torch.autograd.grad(gaussian_kl(*q, *p).sum(), (m, s, pm, ps), retain_graph=True)
    value = balanced_kl(*q, *p, share)
    shared = torch.autograd.grad(value.sum(), (m, s, pm, ps))
    for weight, a, b in zip((1 - share, 1 - share, share, share), whole, shared, strict=True):
        assert_close(weight * a, b)
    normal = torch.distributions.Normal
    assert_close(value, torch.distributions.kl_divergence(normal(*q), normal(*p)).sum(dim=-1))
