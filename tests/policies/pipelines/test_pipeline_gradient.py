"""Gradients of pictures through the last steps and the decoder of pipelines with random weights."""

from dataclasses import replace

import pytest
import torch

from rlft.methods.diffusion_nft import diffusion_nft
from rlft.methods.draft import draft
from rlft.noise import LOSS, forked, normal
from rlft.policies.pipelines.pipeline import Pipeline
from rlft.training.score import graded
from rlft.types import Denoising, Pathwise, Through
from tests.policies.pipelines.test_pipeline import ASKED, FAMILIES, drawn, policy


def reddish(problems, outputs):
    return outputs[:, 0].flatten(1).mean(1) - outputs[:, 1].square().flatten(1).mean(1)


def slopes(held, loss):
    weights = [weight for weight in held.core.parameters() if weight.requires_grad]
    return torch.autograd.grad(loss, weights, allow_unused=True)


def alike(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True) if a is not None or b is not None)


@pytest.mark.parametrize("name", FAMILIES)
def test_steps_that_are_taken_again_draw_the_same_picture(name):
    """With noise as without, from any step, but for the rounding of kernels that a graph asks for."""
    held, rollouts = policy(name), drawn(name)
    assert isinstance(held, Pathwise)
    since = torch.tensor([3, 4, 1, 3])
    again = held.redrawn(rollouts, since)
    torch.testing.assert_close(again, rollouts.outputs, rtol=0, atol=2e-5)
    found = slopes(held, reddish(rollouts.problems, again).sum())
    assert sum(float(one.abs().sum()) for one in found if one is not None) > 1e-6
    assert not any(weight.requires_grad for weight in held.family.pipe.vae.parameters())


def test_the_gradient_is_that_of_the_chain_by_hand():
    """Two steps with the rows' own noise, guidance, the decoder; computing activations again changes nothing."""
    held, rollouts = policy("StableDiffusion3"), drawn("StableDiffusion3")
    x, condition = rollouts.trace["states"][:, 2], rollouts.trace["condition"]
    for k in (2, 3):
        ahead = held.step(x, torch.full((4,), k), condition)
        x = ahead.mean + ahead.s.float().view(-1, 1, 1, 1) * ahead.noise(rollouts.trace["key"], k).float()
    pictures = torch.cat([held.family.decode(one).clamp(-1, 1) for one in x.split(1)])
    by_hand = slopes(held, reddish(ASKED, pictures).sum())
    since = torch.full((4,), 2)
    found = slopes(held, reddish(ASKED, held.redrawn(rollouts, since)).sum())
    assert sum(one is not None for one in found) > 20 and alike(found, by_hand)
    other = Pipeline(held.family, held.drawing, core=held.core, recompute=True)
    again = slopes(held, reddish(ASKED, other.redrawn(rollouts, since)).sum())
    assert alike(again, found)


def test_what_one_step_predicts_and_the_anchor():
    """x̂0 = x - sigma v of a flow, decoded; the reference says what the policy does until that learns."""
    held, rollouts = policy("StableDiffusion3"), drawn("StableDiffusion3")
    since = torch.tensor([1, 2, 3, 3])
    rows, states = torch.arange(4), rollouts.trace["states"]
    velocity = held.predicted(rollouts, since)
    assert velocity.shape == (4, 4, *held.shape) and not velocity[0, 0].any() and velocity[0, 1].any()
    sigma = held.grid.times[since].float().view(-1, 1, 1, 1)
    clean = states[rows, since] - sigma * velocity[rows, since]
    with torch.no_grad():
        torch.testing.assert_close(held.foreseen(rollouts, since), held.decode(clean), rtol=0, atol=1e-5)
    reference = held.reference()
    assert torch.equal(reference.predicted(rollouts, since), velocity)
    rows = rollouts.fill(position=torch.arange(4)).fill(rewards=reddish(ASKED, rollouts.outputs))
    total = draft(last=2, beta=0.5).updates[0].loss(held, rows, Through(graded(reddish), reference))
    assert float(total.sum.detach()) == pytest.approx(-float(rows.rewards.double().sum()), abs=1e-6)
    assert float(total.means["anchor"][0]) == 0 and float(total.peaks["redrawn/first"]) <= 1e-6
    many = held.noised_again(rows, 2)
    z = (many.trace["states"][:, -2] - (1 - held.grid.times[3]) * many.trace["data"]) / held.grid.times[3]
    assert len(many) == 8 and 0.9 < float(z.std()) < 1.1 and abs(float(z[0].mean() - z[1].mean())) > 1e-3


def test_what_a_noised_picture_is_taken_for():
    """x = (1 - sigma) x0 + sigma z, and x̂0 = x - sigma v of a flow, of noise that is always the same."""
    held, rollouts = policy("StableDiffusion3"), drawn("StableDiffusion3")
    assert isinstance(held, Denoising)
    at = torch.tensor([[1, 3], [2, 0], [3, 1], [0, 2]])
    with torch.no_grad():
        found = held.denoised(rollouts, at)
    assert found.shape == (4, 2, *held.shape) and torch.equal(found, held.denoised(rollouts, at).detach())
    keys = forked(rollouts.trace["key"], 2)
    z = normal(keys[:, 1], 1, held.shape, LOSS)[:, 0]
    sigma = held.grid.times[at[:, 1]].float().view(-1, 1, 1, 1)
    x = (1 - sigma) * rollouts.trace["data"] + sigma * z.float()
    with torch.no_grad():
        by_hand = x - sigma * held.says(x, at[:, 1], rollouts.trace["condition"])
    torch.testing.assert_close(found[:, 1], by_hand, rtol=0, atol=1e-5)
    trace = {**rollouts.trace, "at": at, "before": found, "good": torch.tensor([1.0, 0.0, 0.5, 0.5])}
    rows = replace(rollouts, trace=trace)
    total = diffusion_nft(anchor=0.5).updates[0].loss(held, rows, Through(reddish, held.reference()))
    assert float(total.means["anchor"][0]) == float(total.means["moved"][0]) == 0
    parts = slopes(held, total.sum)
    assert sum(float(one.abs().sum()) for one in parts if one is not None) > 1e-6
    even = replace(rollouts, trace={**trace, "good": torch.full((4,), 0.5)})
    still = slopes(held, diffusion_nft(anchor=0.0).updates[0].loss(held, even, Through(reddish, None)).sum)
    assert max(float(one.abs().max()) for one in still if one is not None) < 1e-6
