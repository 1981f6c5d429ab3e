"""Diffusion policies: the first ratio is one, rows of their own, exact densities, masks, guidance."""

import math
from dataclasses import replace

import pytest
import torch

from rlft.models.denoiser import ResidualMLP
from rlft.models.schedules import EPS, VELOCITY, X0, RectifiedFlow, V
from rlft.noise import ACTION, START, normal, row_keys
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import between, cps, dance_sde, ddim, flow_sde, ode
from rlft.policies.stepwise.stepwise import Gaussian
from rlft.types import Rollouts, UserError
from tests.policies.stepwise.toy_diffusion import learned_noise, problems, small

FLOW = RectifiedFlow()

RULES = {
    "ddpm": {},
    "ddim": {"rule": ddim(0.4), "prediction": V},
    "flow_sde": {"rule": flow_sde(0.7), "schedule": FLOW, "prediction": VELOCITY},
    "shifted": {"rule": flow_sde(0.7), "schedule": RectifiedFlow(shift=3.0), "prediction": VELOCITY},
    "shifted to the data": {"rule": flow_sde(0.7), "schedule": RectifiedFlow(shift=0.3), "prediction": VELOCITY},
    "dance_sde": {"rule": dance_sde(0.3), "schedule": FLOW, "prediction": VELOCITY},
    "cps": {"rule": cps(0.5), "schedule": FLOW, "prediction": X0},
    "window": {"rule": between(0.3, 0.8, flow_sde(0.7)), "schedule": FLOW, "prediction": VELOCITY},
    "flow_noise": {"rule": learned_noise((8, 8)), "schedule": FLOW, "prediction": VELOCITY},
    "guided": {"guidance": 3.0},
    "small block": {"block": 4},
    "mean": {"event": "mean"},
    "sqrt": {"event": "sqrt"},
}


# The first ratio is one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-9)])
def test_the_first_ratio_is_one_however_rows_are_batched(name, dtype, tolerance):
    policy = small(**RULES[name]).to(dtype)
    rollouts = policy.sample(problems(0, 2, None, 1), group=3, seed=11)
    assert rollouts.trace["states"].dtype == dtype
    assert rollouts.mask.any()
    assert rollouts.logp_old[rollouts.mask].std() > 1e-3
    for rows in (range(12), [5], [7, 2, 2, 11], range(3, 12)):
        part = rollouts[list(rows)]
        logp = policy.log_prob(part)
        assert logp.requires_grad
        assert ((logp - part.logp_old).exp() - 1).abs().max() <= tolerance
        assert (logp[~part.mask] == 0).all()


def test_narrow_weights_keep_wide_states():
    policy = small(dtype=torch.bfloat16)
    rollouts = policy.sample(problems(0, 2), group=2, seed=3)
    assert rollouts.trace["states"].dtype == torch.float32
    assert policy.times.dtype == torch.float64
    assert ((policy.log_prob(rollouts[[1, 3]]) - rollouts.logp_old[[1, 3]]).exp() - 1).abs().max() <= 1e-6


def test_padding_the_trace_changes_nothing():
    settings = {"rule": flow_sde(0.7), "schedule": FLOW, "prediction": VELOCITY}
    short, long = (small(steps=k, **settings).sample(problems(1, 0), group=2, seed=5) for k in (3, 5))
    policy = small(steps=3, **settings)
    padded = Rollouts.concat([short, long])[:4]
    assert padded.mask.shape == (4, 5)
    for column in (policy.log_prob, policy.loss_on):
        assert torch.equal(column(padded)[:, :3], column(short))
        assert (column(padded)[:, 3:] == 0).all()


# A row is its own --------------------------------------------------------------------------------------------------


def test_a_sample_depends_on_its_own_problem_and_the_seed_only():
    policy, asked = small(), problems(0, 1, 2, None)
    together = policy.sample(asked, group=3, seed=1)
    order = [2, 0, 3, 1]
    permuted = policy.sample([asked[i] for i in order], group=3, seed=1)
    rows = torch.cat([torch.arange(3) + 3 * i for i in order])
    assert torch.equal(permuted.outputs, together.outputs[rows])
    assert torch.equal(permuted.logp_old, together.logp_old[rows])
    alone = policy.sample([asked[2]], group=1, seed=1)
    assert torch.equal(alone.outputs[0], together.outputs[6])
    assert not torch.equal(policy.sample([asked[2]], group=1, seed=2).outputs[0], together.outputs[6])
    # group-major, and every row another
    assert [p.input for p in together.problems] == [0] * 3 + [1] * 3 + [2] * 3 + [None] * 3
    assert torch.pdist(together.outputs.flatten(1)).min() > 0.1


def test_a_row_starts_from_its_own_noise():
    rollouts = small().sample(problems(0, 1, 2), group=200, seed=1)
    start = rollouts.trace["states"][:, 0].double()
    keys = row_keys(rollouts.problems[::200], 200, 1)
    assert torch.equal(rollouts.trace["key"], keys)
    assert torch.equal(start, normal(keys, 1, (8, 8), START)[:, 0].float().double())
    assert abs(start.mean()) < 4 / math.sqrt(start.numel())
    # and not from that of its first step
    first = normal(keys, 1, (8, 8), ACTION)[:, 0]
    assert abs((start * first).mean()) < 4 / math.sqrt(start.numel())
    assert rollouts.trace["condition"][::200].tolist() == [0, 1, 2]
    assert small().condition(problems(2, None, 0)).tolist() == [2, 3, 0]


def test_sampling_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    policy = small(critic=True, rule=ddim(0.9))
    policy.log_prob(policy.sample(problems(0), group=2, seed=1))
    assert torch.equal(before, torch.random.get_rng_state())


# Densities ---------------------------------------------------------------------------------------------------------


def test_log_density_and_kl_of_a_step():
    one = torch.tensor
    # z = (1, 1): -½ - ln ½ - ½ - ln 2 - ln 2π = -1 - ln 2π
    here = Gaussian(one([[1.0, -2.0]]), one([[0.5, 2.0]]), scale=1.0)
    assert here.log_prob(one([[1.5, 0.0]])).tolist() == pytest.approx([-1 - math.log(2 * math.pi)])
    assert replace(here, scale=0.25).log_prob(one([[1.5, 0.0]])).item() == pytest.approx(
        (-1 - math.log(2 * math.pi)) / 4
    )
    # dimension 1: ln 2/.5 + (.25 + 1)/8 - ½;  dimension 2: ln 1/2 + (4 + 9)/2 - ½
    there = Gaussian(one([[0.0, 1.0]]), one([[2.0, 1.0]]), scale=1.0)
    expected = (math.log(4) + 1.25 / 8 - 0.5) + (math.log(0.5) + 6.5 - 0.5)
    assert here.kl(there).tolist() == pytest.approx([expected])
    assert here.kl(here).tolist() == [0.0]


@pytest.mark.parametrize(("event", "share"), [("sum", 1.0), ("mean", 1 / 64), ("sqrt", 1 / 8)])
def test_log_prob_against_the_formula(event, share):
    policy = small(event=event, rule=dance_sde(0.3), schedule=FLOW, prediction=VELOCITY).double()
    rollouts = policy.sample(problems(1), group=2, seed=4)
    states, label = rollouts.trace["states"], torch.tensor([1, 1])
    for k in range(4):
        x, ahead, t = states[:, k].flatten(1), states[:, k + 1].flatten(1), 1 - k / 4
        v = policy.denoiser(states[:, k], torch.full((2,), t).double(), label).flatten(1)
        # x̂0 = x - t·v, x̂1 = x + (1-t)·v, t' = t - .25, δ = .25
        mean = (1.25 - t) * (x - t * v) + (t - 0.25 - 0.09 * 0.25 / (2 * t)) * (x + (1 - t) * v)
        each = torch.distributions.Normal(mean, 0.3 * 0.5).log_prob(ahead)
        torch.testing.assert_close(rollouts.logp_old[:, k], share * each.sum(1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("settings", [{}, {"rule": learned_noise((2,)), "schedule": FLOW, "prediction": VELOCITY}])
def test_closed_form_kl_is_the_mean_log_ratio(settings):
    policy, reference = (small(shape=(2,), noise=n, **settings) for n in (0.0, 0.1))
    if settings:  # another noise than the policy's as well
        reference = small(shape=(2,), noise=0.1, **(settings | {"rule": learned_noise((2,), seed=6)}))
    rollouts = policy.sample(problems(0, 2), group=2000, seed=9)
    with torch.no_grad():
        kl = policy.kl(rollouts, reference)
        ratio = policy.log_prob(rollouts) - reference.log_prob(rollouts)
    mask = rollouts.mask[0]
    error = (ratio - kl)[:, mask].std(0) / math.sqrt(len(rollouts))
    assert ((ratio - kl)[:, mask].mean(0).abs() < 4 * error).all()
    assert (kl[:, mask].mean(0) > 4 * error).all()
    assert (kl[:, ~mask] == 0).all()
    assert policy.kl(rollouts, policy).abs().max() == 0


def test_kl_has_a_gradient_for_the_policy_alone():
    policy, reference = small(), small(noise=0.1)
    policy.kl(policy.sample(problems(0), 2, 1), reference).sum().backward()
    assert any(p.grad.abs().max() > 0 for p in policy.parameters())
    assert all(p.grad is None for p in reference.parameters())


def test_ratios_have_mean_one_under_sum_and_less_under_mean():
    """E_old[r] = 1 for densities; for r^(1/E) it is exp(-k·(E-1)/(2·E²)) at each state, with k = 2·KL."""
    settings = {"shape": (4,), "rule": flow_sde(0.7), "schedule": FLOW, "prediction": VELOCITY}
    old, new = (small(noise=n, **settings) for n in (0.0, 0.05))
    rollouts = old.sample(problems(0, 1), group=3000, seed=2)
    with torch.no_grad():
        log_ratio = new.log_prob(rollouts) - old.log_prob(rollouts)
        k = 2 * old.kl(rollouts, new)

    def mean_and_error(x):
        return x.mean().item(), (x.std() / math.sqrt(x.numel())).item()

    whole, error = mean_and_error(log_ratio.sum(1).exp())
    assert error < 0.03
    assert abs(whole - 1) < 4 * error
    averaged, predicted = (log_ratio / 4).exp(), (-k * 3 / 32).exp()
    gap, error = mean_and_error(averaged - predicted)
    assert abs(gap) < 4 * error
    assert averaged.mean() < 1 - 10 * error
    # and that is what the argument does
    with torch.no_grad():
        mean_event = small(noise=0.05, **settings, event="mean").log_prob(rollouts)
        torch.testing.assert_close(mean_event, new.log_prob(rollouts) / 4)


# Masks -------------------------------------------------------------------------------------------------------------


def test_decisions_off_the_mask_have_no_gradient():
    policy = small(rule=between(0.3, 0.8, flow_sde(0.7)), schedule=FLOW, prediction=VELOCITY)
    rollouts = policy.sample(problems(0, 1), group=2, seed=1)
    # steps start at 1, .75, .5, .25
    assert rollouts.mask.tolist() == [[False, True, True, False]] * 4
    logp = policy.log_prob(rollouts)
    (logp * ~rollouts.mask).sum().backward(retain_graph=True)
    assert all(p.grad.abs().max() == 0 for p in policy.parameters())
    logp.sum().backward()
    assert any(p.grad.abs().max() > 0 for p in policy.parameters())
    # leaving out a decision leaves out its gradient, and nothing else
    gradients = []
    for keep in ([1, 2], [1], [2]):
        mask = torch.zeros_like(rollouts.mask)
        mask[:, keep] = True
        policy.zero_grad()
        policy.log_prob(replace(rollouts, mask=mask)).sum().backward()
        gradients.append(policy.denoiser.enter.weight.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1] + gradients[2])
    assert gradients[2].abs().max() > 1e-3


def test_an_ode_makes_no_decisions():
    policy = small(rule=ode())
    rollouts = policy.sample(problems(0, 1), group=2, seed=1)
    assert not rollouts.mask.any()
    assert (rollouts.logp_old == 0).all()
    logp = policy.log_prob(rollouts)
    logp.sum().backward()  # a loss over no decisions is 0, not an error
    assert (logp == 0).all()


@pytest.mark.parametrize("shift", [0.05, 0.3, 1.7, 20.0])
def test_every_shift_has_samples_and_gradients(shift):
    """Steps that begin at t = 1 have the noise of their rule, so densities, states and gradients stay finite."""
    policy = small(shape=(2,), rule=flow_sde(0.7), schedule=RectifiedFlow(shift), prediction=VELOCITY, steps=10)
    rollouts = policy.sample(problems(0, 1), group=2, seed=1)
    assert rollouts.mask.all() and rollouts.trace["states"].abs().max() < 100
    logp = policy.log_prob(rollouts)
    assert (logp - rollouts.logp_old).abs().max() < 1e-6
    logp.sum().backward()
    assert all(p.grad.isfinite().all() for p in policy.parameters())
    assert policy.denoiser.enter.weight.grad.abs().max() > 1e-3


# Guidance ----------------------------------------------------------------------------------------------------------


def test_guidance_is_in_the_sampler_and_in_the_score():
    plain, strong = small(guidance=1.0), small(guidance=3.0)
    rollouts = strong.sample(problems(0, 1), group=2, seed=1)
    assert ((strong.log_prob(rollouts) - rollouts.logp_old).exp() - 1).abs().max() <= 1e-6
    assert ((plain.log_prob(rollouts) - rollouts.logp_old)[rollouts.mask]).abs().min() > 1e-3
    assert not torch.allclose(plain.sample(problems(0, 1), 2, 1).outputs, rollouts.outputs)
    x, t, label, null = torch.randn(2, 8, 8), torch.tensor([0.3, 0.9]), torch.tensor([0, 2]), torch.tensor([3, 3])
    without, asked = plain.denoiser(x, t, null), plain.denoiser(x, t, label)
    torch.testing.assert_close(strong.output(x, t, label), without + 3 * (asked - without))
    assert torch.equal(plain.output(x, t, label), asked)
    torch.testing.assert_close(small(guidance=0.0).output(x, t, label), without)
    # with no class asked for there is nothing to guide towards
    torch.testing.assert_close(strong.output(x, t, null), without)


# Errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: small().sample(problems(3), 1, 0), "asks for 3.*0 to 2"),
        (lambda: small().sample(problems("seven"), 1, 0), "asks for 'seven'"),
        (lambda: small(shape=(2,), classes=0).sample(problems(0), 1, 0), "expects None"),
        (lambda: small().sample([], 1, 0), "0 problems"),
        (lambda: small().demonstrate(problems(1), 0), r"no answer of shape \(8, 8\)"),
        (lambda: small(schedule=FLOW, prediction=EPS), "says nothing about the data"),
        (lambda: small(schedule=RectifiedFlow(shift=0.3), prediction=EPS), "says nothing about the data"),
        (lambda: small(rule=flow_sde(0.7)), "rectified flow"),
        (lambda: small().kl(small().sample(problems(0), 1, 0), small(steps=9)), "4 steps and its reference 9"),
    ],
)
def test_errors_say_what_was_expected(make, words):
    with pytest.raises(UserError, match=words):
        make()


def test_the_event_has_no_default():
    with pytest.raises(TypeError, match="event"):
        Diffusion(  # pyright: ignore[reportCallIssue]
            ResidualMLP((2,), 0), steps=2, rule=ode(), schedule=FLOW, prediction=VELOCITY, shape=(2,), classes=0
        )
