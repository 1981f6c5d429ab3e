"""Negative-aware fine-tuning: by hand on a linear flow, what it degenerates into, and what every method must do."""

import pytest
import torch
from torch.testing import assert_close

from rlft.collect.renoised import renoised, some_steps
from rlft.losses.negative_aware import negative_aware, optimality
from rlft.methods.diffusion_nft import diffusion_nft
from rlft.noise import LOSS, forked, normal
from rlft.tasks.subset import Subset
from rlft.training.trainer import Trainer
from rlft.types import Denoising, Problem, Rollouts, Through, UserError
from tests.fakes import Cards, Table, agreement
from tests.methods.test_draft import A, D, cut_and_stopped, drawn, linear, thrice


def test_optimality():
    assert optimality(torch.tensor([0.0, 1.0, -5.0, 7.0]), 2.0).tolist() == [0.5, 0.75, 0, 1]


def test_the_loss_by_hand():
    """One number: x0 = 0, before = 2, said = 3. With beta = 1 x⁺ = 3 and x⁻ = 1, of which d is |x| in value; with 0.5
    2.5 and 1.5. Two numbers 3 and 1: squares 9 and 1 over the mean size 2."""
    one = torch.tensor([[[3.0]]]), torch.tensor([[[2.0]]]), torch.tensor([[0.0]])
    assert float(negative_aware(*one, torch.tensor([0.25]), 1.0)) == pytest.approx(0.25 * 3 + 0.75 * 1)
    assert float(negative_aware(*one, torch.tensor([0.25]), 0.5)) == pytest.approx(0.25 * 2.5 + 0.75 * 1.5)
    said, data = torch.tensor([[[3.0, -1.0]]]), torch.zeros(1, 2)
    assert float(negative_aware(said, said, data, torch.tensor([0.3]), 1.0)) == pytest.approx(5 / 2)


@pytest.mark.parametrize("good", [0.0, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("beta", [1.0, 0.1])
def test_the_gradient_where_the_batch_was_drawn(good, beta):
    """(2r - 1) beta times that of the denoising loss, and none where r is a half."""
    torch.manual_seed(0)
    before, data = torch.randn(3, 2, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    said = before.clone().requires_grad_()
    loss = negative_aware(said, before, data, torch.full((3,), good), beta).sum()
    found = torch.autograd.grad(loss, said)[0]
    error = before - data[:, None]
    plain = 2 * error / 4 / error.abs().mean(-1, keepdim=True)
    assert_close(found, (2 * good - 1) * beta * plain, rtol=0, atol=1e-7)


def test_what_a_linear_flow_takes_a_noised_sample_for():
    """x = (1 - t) x0 + t z at t = 1 - k/D, and x̂0 = x - t a x; every place has noise of its own, always the same."""
    policy = linear()
    rollouts = drawn(policy, 3)
    at = torch.tensor([[0, 1], [3, 2], [2, 0]])
    found = policy.denoised(rollouts, at)
    z = normal(forked(rollouts.trace["key"], 2).flatten(), 1, (1,), LOSS)[:, 0].reshape(3, 2)
    t = 1 - at / D
    x = (1 - t) * rollouts.trace["data"] + t * z.double()
    assert_close(found[..., 0], x * (1 - t * A), rtol=0, atol=1e-7)
    assert torch.equal(found, policy.denoised(rollouts, at)) and z[0, 0] != z[0, 1]
    assert torch.equal(policy.denoised(rollouts[[1]], at[[1]]), found[[1]])
    assert isinstance(policy, Denoising) and not isinstance(Table(), Denoising)


def test_all_good_is_the_denoising_loss_on_ones_own_samples():
    policy, reference = linear(), linear(0.2)
    rollouts = drawn(policy, 3)
    at = torch.tensor([[0], [1], [3]])
    trace = {"at": at, "before": policy.denoised(rollouts, at).detach(), "good": torch.ones(3, dtype=torch.float64)}
    rows = rollouts.__class__(**{**vars(rollouts), "trace": {**rollouts.trace, **trace}})
    with torch.no_grad():
        policy.denoiser.a += 0.3
    total = diffusion_nft(anchor=0.0).updates[0].loss(policy, rows, Through(thrice, None))
    error = policy.denoised(rows, at)[:, 0] - rows.trace["data"]
    assert_close(total.sum, (error.square() / error.abs().detach()).sum(), rtol=0, atol=1e-12)
    assert total.weight == 3
    held = diffusion_nft(anchor=0.5).updates[0].loss(policy, rows, Through(thrice, reference))
    apart = (policy.denoised(rows, at) - reference.denoised(rows, at)).square().sum()
    assert_close(held.sum - total.sum, 0.5 * apart, rtol=0, atol=1e-12)


def test_steps_are_each_rows_own_and_none_comes_twice():
    asked, mask = tuple(Problem(i, 0) for i in range(200)), torch.zeros(200, D, dtype=torch.bool)
    rollouts = Rollouts(asked, 1, list(asked), {}, mask, torch.zeros(200, D)).fill(position=torch.arange(200))
    chosen = some_steps(rollouts, 2)
    assert all(len(set(row)) == 2 for row in chosen.tolist())
    assert min(chosen.flatten().bincount(minlength=D).tolist()) > 70  # 100 expected, deviation 7
    assert sorted(some_steps(rollouts[:1], 9)[0].tolist()) == [0, 1, 2, 3]
    assert torch.equal(some_steps(rollouts[[7]], 2), chosen[[7]])
    with pytest.raises(UserError, match="levels=0: noise every sample anew at least once"):
        renoised(0, lambda rollouts, runtime: rollouts.rewards, lambda a: a)


FAST = {"rate": 0.5, "most": 0.9}  # so that three steps feel it
METHODS = [diffusion_nft(), diffusion_nft(beta=0.5, levels=2, anchor=0.1, epochs=2, minibatches=2, **FAST)]


@pytest.mark.parametrize("method", METHODS)
def test_micro_batches_and_a_stop_change_nothing(method):
    assert cut_and_stopped(method, 1e-5)[0]["moved"] < 1e-12 or method.minibatches > 1


def test_it_learns_from_an_ode_and_unscored_rows_have_no_say():
    def near_two(asked, outputs):
        rewards = -(outputs[:, 0] - 2).square()
        return torch.where(torch.arange(len(rewards)) % 7 == 3, torch.nan, rewards)

    policy = linear()
    t = Trainer(policy, diffusion_nft(levels=4), Subset(Cards(), range(3)), near_two, prompts=4, group=8, lr=0.03)
    log = list(t.run(20))
    assert log[-1]["reward"] > log[0]["reward"] + 0.1
    assert log[0]["moved"] == 0 < log[-1]["anchor"] and 0 < log[0]["good"] < 1


def test_a_slow_average_draws():
    """At its first steps hardly, as published; without it the second step begins where the batch was drawn."""

    def moved(**told):
        t = Trainer(linear(), diffusion_nft(**told), Subset(Cards(), range(3)), thrice, prompts=4, group=8, lr=0.03)
        return [line["moved"] for line in t.run(3)], t

    (plain, _), (published, slow), (fast, _) = moved(rate=0.0), moved(), moved(**FAST)
    assert plain == [0, 0, 0]
    assert published[0] == fast[0] == 0 and 0 < published[1] < 1e-3 * fast[1]
    assert slow.method.collect.old and slow.state_dict()["shared"]["parts"]["collect"]["steps"] == 2


def test_what_is_refused():
    with pytest.raises(UserError, match="method diffusion_nft needs a policy that tells data from noise"):
        Trainer(Table(), diffusion_nft(), Cards(), agreement)
