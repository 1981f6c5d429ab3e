"""Mixed denoisers: exact for a Gaussian, measurably not for a mixture of them, single models at the ends."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.models.exact import ExactDenoiser
from rlft.models.schedules import EPS, VELOCITY, Cosine, RectifiedFlow, V
from rlft.policies.composed.mixed import Early, OutsideTopP, mixed
from rlft.policies.mix import emulated, guided
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddpm, ode
from rlft.types import UserError
from tests.policies.stepwise.toy_diffusion import learned_noise, problems, small

F64 = torch.float64


def exact(means, stds, weights, steps, schedule=None, rule=None, block=4):
    schedule = schedule or RectifiedFlow()
    tensors = (torch.tensor(values, dtype=F64) for values in (means, stds, weights))
    denoiser = ExactDenoiser(*tensors, schedule=schedule, prediction=VELOCITY)
    return around(denoiser, steps, rule or ode(), schedule, block)


def around(denoiser, steps, rule, schedule, block):
    told = {"prediction": VELOCITY, "event": "sum", "shape": (denoiser.means.shape[1],), "classes": 0, "block": block}
    return Diffusion(denoiser, steps=steps, rule=rule, schedule=schedule, **told)


def tilted(policy, slope):
    denoiser = policy.denoiser.tilted(torch.tensor(slope, dtype=F64))
    return around(denoiser, policy.steps, policy.rule, policy.schedule, policy.block)


@torch.no_grad()
def carried(policy, x):
    """Where the deterministic steps take these states."""
    label = torch.zeros(len(x), dtype=torch.long)
    for k in range(policy.steps):
        x = policy.step(x, torch.full_like(label, k), label).mean
    return x


def gaussian_of(policy, size):
    """Mean and standard deviations that an affine sampler makes of N(0, I), without a sample."""
    ends = carried(policy, torch.cat([torch.zeros(1, size, dtype=F64), torch.eye(size, dtype=F64)]))
    return ends[0], (ends[1:] - ends[0]).norm(dim=0)


@pytest.mark.parametrize(("weight", "steps"), [(0.0, 30), (0.4, 30), (1.0, 30), (2.5, 30), (2.5, 240)])
def test_a_gaussian_lands_on_the_optimum_at_beta_over_w(weight, steps):
    """N(μ, s²) and r = g·x: the optimum at β/w is N(μ + w·s²·g/β, s²). Its mean is there at any number of steps, its
    spread as Euler's method has it: the error falls as 1 / steps, so 1e-3 takes 900."""
    mean, std, gain, beta = torch.tensor([1.5, -0.5], dtype=F64), 0.6, torch.tensor([1.0, -2.0], dtype=F64), 0.7
    off = []
    for count in (steps, 4 * steps):
        base = exact([mean.tolist()], [std], [1.0], count)
        tuned = tilted(base, (gain / beta).tolist())
        found, spread = gaussian_of(mixed(guided(base, tuned, weight)), 2)
        assert_close(found, mean + weight * std**2 * gain / beta, atol=1e-6, rtol=0)
        off.append(float((spread - std).abs().max()))
    assert off[0] / off[1] == pytest.approx(4, rel=0.05)
    assert off[1] < 0.9 / (4 * steps)
    assert (tuned.denoiser.means - base.denoiser.means).abs().min() > 0.4


def test_a_mixture_does_not():
    """Two blobs in one dimension, where the carried quantiles are the whole distribution: the mix of two scores is not
    the score of the product that theory has in mind, and the mean is off by more the larger w."""
    base = exact([[-1.0], [1.0]], [0.3, 0.3], [0.5, 0.5], 50, block=200)
    tuned = tilted(base, [1.0])
    quantiles = torch.distributions.Normal(0, 1).icdf(torch.linspace(0.0025, 0.9975, 200, dtype=F64))[:, None]

    def gap(weight):
        optimum = tilted(base, [weight]).denoiser
        mean = carried(mixed(guided(base, tuned, weight)), quantiles).mean()
        return float((mean - optimum.shares() @ optimum.means[:, 0]).detach())

    gaps = [gap(weight) for weight in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert max(abs(gaps[0]), abs(gaps[1])) < 0.01
    assert gaps[2] > 0.1
    assert gaps[3] - gaps[2] > 0.05
    assert gaps[4] - gaps[3] > 0.05


def test_weights_0_and_1_are_the_single_models():
    base, tuned = small(dtype=F64), small(dtype=F64, noise=0.3)
    asked = problems(0, 2, None)
    for weight, single, other in ((0.0, base, tuned), (1.0, tuned, base)):
        rows = mixed(guided(base, tuned, weight)).sample(asked, 2, seed=1)
        alone = single.sample(asked, 2, seed=1)
        assert_close(rows.outputs, alone.outputs, atol=1e-12, rtol=0)
        assert_close(rows.logp_old, alone.logp_old, atol=1e-9, rtol=0)
        assert (rows.outputs - other.sample(asked, 2, seed=1).outputs).abs().max() > 0.1


def test_each_member_has_its_own_guidance():
    base, tuned = small(dtype=F64, guidance=2.0), small(dtype=F64, noise=0.3, guidance=0.5)
    policy = mixed(guided(base, tuned, 1.6))
    x, t, label = torch.randn(3, 8, 8, dtype=F64), torch.tensor([0.9, 0.5, 0.2], dtype=F64), torch.tensor([0, 1, 2])

    def by_hand(member, scale):
        null = member.denoiser(x, t, torch.full_like(label, 3))
        return null + scale * (member.denoiser(x, t, label) - null)

    expected = -0.6 * by_hand(base, 2.0) + 1.6 * by_hand(tuned, 0.5)
    assert_close(policy.output(x, t, label), expected, atol=1e-12, rtol=0)
    assert (expected - by_hand(tuned, 2.0)).abs().max() > 0.1


def test_one_predictions_mix_is_every_predictions():
    """Noise, velocity … are affine in x̂0 at a given state, so with weights that add up to 1 it is the same sampler."""
    means = [[[-1.0], [1.0]], [[0.5], [2.0]]]
    found = []
    for prediction in (EPS, V):
        members = []
        for mean in means:
            tensors = (torch.tensor(v, dtype=F64) for v in (mean, [0.3, 0.4], [0.5, 0.5]))
            denoiser = ExactDenoiser(*tensors, schedule=Cosine(), prediction=prediction)
            told = {"schedule": Cosine(), "prediction": prediction, "event": "sum", "shape": (1,), "classes": 0}
            members.append(Diffusion(denoiser, steps=5, rule=ddpm(), **told))
        found.append(mixed(guided(*members, 1.8)).sample(problems(None), 4, seed=0))
    assert_close(found[0].outputs, found[1].outputs, atol=1e-10, rtol=0)
    assert_close(found[0].logp_old, found[1].logp_old, atol=1e-8, rtol=0)


def test_the_first_speaks_alone_early_on():
    base, tuned = small(dtype=F64, steps=5), small(dtype=F64, steps=5, noise=0.3)
    asked = problems(0, 1)
    whole, late = mixed(guided(base, tuned, 3.0)), mixed(guided(base, tuned, 3.0), alone=Early(0.6))
    calls = []
    late.denoiser.members[1].register_forward_pre_hook(lambda *_: calls.append(1))
    rows, alone = (each.sample(asked, 2, seed=1) for each in (late, tuned))
    # times are 1, .8, .6, …: two steps of the tuned model, and the reference is not asked in them
    assert len(calls) == 3
    assert_close(rows.trace["states"][:, :3], alone.trace["states"][:, :3], atol=1e-12, rtol=0)
    assert (rows.trace["states"][:, 3] - alone.trace["states"][:, 3]).abs().max() > 0.01
    assert_close(late.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert_close(
        mixed(guided(base, tuned, 3.0), alone=Early(1.0)).sample(asked, 2, seed=1).outputs,
        whole.sample(asked, 2, seed=1).outputs,
        atol=0,
        rtol=0,
    )


def test_only_what_is_to_be_trained_has_gradient():
    base, tuned = small(rule=learned_noise((8, 8))), small(noise=0.3)
    policy = mixed(guided(base, tuned, 1.5), trained=[tuned])
    rows = policy.sample(problems(0, 1), 2, seed=0)
    policy.log_prob(rows).sum().backward()
    learning = [p for p in policy.parameters() if p.requires_grad]
    assert {id(p) for p in learning} == {id(p) for p in tuned.denoiser.parameters()}
    assert any(p.grad is not None and p.grad.any() for p in learning)
    assert all(p.grad is None for p in base.parameters())


def test_what_cannot_be_mixed():
    one = small()
    with pytest.raises(UserError, match=r"add up to 1, and 1, 1, -0\.5 to 1\.5"):
        mixed([(one, 1.0), (small(), 1.0), (small(), -0.5)])
    with pytest.raises(UserError, match="different prediction do not add"):
        mixed(guided(one, small(prediction=V), 2.0))
    with pytest.raises(UserError, match="different shape do not add"):
        mixed(guided(one, small(shape=(4, 4)), 2.0))
    with pytest.raises(UserError, match="for denoisers there is Early"):
        mixed([(one, 1.0)], alone=OutsideTopP(0.5))
    with pytest.raises(UserError, match="time 1 to time 0"):
        Early(1.5)
    assert isinstance(mixed(emulated(one, small(), small())), nn.Module)


def test_the_exact_denoiser_is_the_posterior_mean():
    """Against numerical integration over x0, and the tilt against the density it is defined by."""
    policy = exact([[-1.0], [0.8]], [0.3, 0.5], [0.3, 0.7], 4, schedule=Cosine())
    denoiser, schedule = policy.denoiser, Cosine()
    x0 = torch.linspace(-8, 8, 20001, dtype=F64)
    for t, x in ((0.9, 0.4), (0.4, -0.7), (0.1, 0.9)):
        alpha, sigma = schedule.weights(torch.tensor(t, dtype=F64))
        joint = denoiser.log_density(x0[:, None]).exp() * (-((x - alpha * x0) ** 2) / (2 * sigma**2)).exp()
        mean = (joint * x0).sum() / joint.sum()
        state, time = torch.tensor([[x]], dtype=F64), torch.tensor([t], dtype=F64)
        said = denoiser(state, time, torch.zeros(1, dtype=torch.long))
        assert_close(said[0, 0], (x - alpha * mean) / sigma - mean, atol=1e-6, rtol=0)
    assert_close((denoiser.log_density(x0[:, None]).exp().sum() * (x0[1] - x0[0])), torch.tensor(1.0, dtype=F64))
    moved = denoiser.tilted(torch.tensor([0.9], dtype=F64))
    ratio = moved.log_density(x0[:, None]) - denoiser.log_density(x0[:, None]) - 0.9 * x0
    assert_close(ratio, ratio[:1].expand_as(ratio), atol=1e-9, rtol=0)
    assert moved.shares()[1] > denoiser.shares()[1] + 0.05
