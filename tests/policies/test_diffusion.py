"""Diffusion policies: exact densities, rows of their own, the right marginals."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from rlft.models.denoiser import NoiseHead, ResidualMLP
from rlft.models.schedules import EPS, VELOCITY, X0, Cosine, RectifiedFlow, V
from rlft.noise import ACTION, START, normal, row_keys
from rlft.policies.diffusion import Diffusion
from rlft.policies.noise_rules import between, cps, dance_sde, ddim, ddpm, flow_noise, flow_sde, ode
from rlft.policies.stepwise import Gaussian
from rlft.types import HasValue, Policy, Problem, Rollouts, Teachable, UserError

FLOW = RectifiedFlow()


def problems(*classes):
    return [Problem(index=7 + i, input=c, task="toy") for i, c in enumerate(classes)]


def small(shape=(8, 8), seed=0, dtype=torch.float32, noise=0.0, **settings):
    """A policy of random weights; `noise` moves them away from those of the same seed."""
    denoiser = ResidualMLP(shape, classes=3, width=32, blocks=1, seed=seed)
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in denoiser.parameters():
            p += noise * torch.randn(p.shape, generator=draws)
    defaults = {"steps": 4, "rule": ddpm(), "schedule": Cosine(), "prediction": EPS, "event": "sum", "classes": 3}
    return Diffusion(denoiser, shape=shape, **(defaults | settings)).to(dtype)


def learned_noise(shape, seed=5):
    """A rule whose noise differs from state to state."""
    head = NoiseHead(shape, classes=3, width=16)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in head.parameters():
            p += 0.5 * torch.randn(p.shape, generator=draws)
    return flow_noise(head, low=0.1, high=0.6)


RULES = {
    "ddpm": {},
    "ddim": {"rule": ddim(0.4), "prediction": V},
    "flow_sde": {"rule": flow_sde(0.7), "schedule": FLOW, "prediction": VELOCITY},
    "shifted": {"rule": flow_sde(0.7), "schedule": RectifiedFlow(shift=3.0), "prediction": VELOCITY},
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


# The right marginals -----------------------------------------------------------------------------------------------


class ExactGaussian(nn.Module):
    """The best denoiser there is for x0 ~ N(1.5, .3²): E[x0 | x] is linear in x."""

    def __init__(self, schedule, prediction):
        super().__init__()
        self.schedule, self.prediction = schedule, prediction
        self.register_buffer("mean", torch.tensor(1.5, dtype=torch.float64))

    def forward(self, x, t, label):
        alpha, sigma = (w[:, None] for w in self.schedule.weights(t))
        x0 = self.mean + alpha * 0.09 / (alpha**2 * 0.09 + sigma**2) * (x - alpha * self.mean)
        return self.prediction.target(x0, (x - alpha * x0) / sigma, alpha, sigma)


def marginal(rule, steps, schedule=FLOW, prediction=VELOCITY):
    """Mean and deviation of the last state, exactly: every step is an affine map plus noise."""
    policy = Diffusion(
        ExactGaussian(schedule, prediction),
        steps=steps,
        rule=rule,
        schedule=schedule,
        prediction=prediction,
        event="sum",
        shape=(1,),
        classes=0,
        block=2,
    )
    mean, variance = 0.0, 1.0
    for k in range(steps):
        ahead = policy.step(torch.tensor([[0.0], [1.0]]).double(), torch.tensor([k, k]), torch.tensor([0, 0]))
        offset, one = ahead.mean[:, 0].tolist()
        mean, variance = offset + (one - offset) * mean, (one - offset) ** 2 * variance + ahead.std[0].item() ** 2
    return mean, math.sqrt(variance)


@pytest.mark.parametrize(
    ("rule", "deviations"),
    [  # of K = 1, 4, 10, 40 steps; worked out in plain Python from the table of rules
        (ode(), (0.0000, 0.1772, 0.2469, 0.2859)),
        (flow_sde(0.7), (0.7416, 0.2689, 0.2820, 0.2961)),
        (dance_sde(0.3), (0.3034, 0.2182, 0.2615, 0.2896)),
        (cps(0.7), (0.0000, 0.1665, 0.2132, 0.2410)),
    ],
)
def test_one_dimension_exactly(rule, deviations):
    for steps, expected in zip((1, 4, 10, 40), deviations, strict=True):
        mean, deviation = marginal(rule, steps)
        assert mean == pytest.approx(1.5, abs=1e-9)
        assert deviation == pytest.approx(expected, abs=6e-5)


def test_the_sdes_reach_the_data_and_cps_does_not():
    assert marginal(flow_sde(0.7), 400)[1] == pytest.approx(0.3, abs=1e-3)
    assert marginal(dance_sde(0.3), 400)[1] == pytest.approx(0.3, abs=1.5e-3)
    # DDPM's error falls slowly, as 1/K, so K and 2K steps together say where it goes. It need not begin at the
    # marginal of t = 1 exactly: what is left of the data's mean in the start, .1 of 1.5, fades to a thousandth.
    for schedule, predictions in ((FLOW, (V,)), (Cosine(), (EPS, X0))):
        for prediction in predictions:
            (_, coarse), (mean, fine) = (marginal(ddpm(), k, schedule, prediction) for k in (100, 200))
            assert mean == pytest.approx(1.5, abs=2e-3)
            assert 0.28 < coarse < fine - 0.005
            assert 2 * fine - coarse == pytest.approx(0.3, abs=1.5e-3)
    assert marginal(cps(0.7), 400)[1] < 0.27


# Deployment, critic, demonstrations --------------------------------------------------------------------------------


def test_another_rule_shares_the_weights():
    policy = small(rule=learned_noise((8, 8)), schedule=FLOW, prediction=VELOCITY, guidance=2.0, critic=True)
    deployed = policy.with_rule(ode(), steps=7)
    assert isinstance(policy, Policy)
    assert isinstance(deployed, Policy)
    assert (deployed.steps, deployed.guidance) == (7, 2.0)
    before = deployed.sample(problems(0), 1, 1)
    assert before.mask.shape == (1, 7)
    # the critic and the noise head stay behind
    assert [id(p) for p in deployed.parameters()] == [id(p) for p in policy.denoiser.parameters()]
    assert {n.split(".")[0] for n in policy.state_dict()} == {"denoiser", "rule", "critic"}
    with torch.no_grad():
        policy.denoiser.enter.weight += 0.1
    assert not torch.equal(deployed.sample(problems(0), 1, 1).outputs, before.outputs)


def test_weights_survive_a_round_trip():
    policy, other = small(noise=0.1), small(seed=1)
    assert not torch.equal(policy.sample(problems(0), 1, 1).outputs, other.sample(problems(0), 1, 1).outputs)
    other.load_state_dict(policy.state_dict())
    assert torch.equal(policy.sample(problems(0), 1, 1).outputs, other.sample(problems(0), 1, 1).outputs)


def test_a_critic_is_a_capability():
    assert not isinstance(small(), HasValue)
    policy = small(critic=True)
    assert isinstance(policy, HasValue)
    rollouts = policy.sample(problems(0, 1), group=2, seed=1)
    assert (policy.value(rollouts) == 0).all()
    with torch.no_grad():
        for p in policy.value_parameters():
            p += 0.1
    values = policy.value(rollouts)
    assert values.shape == rollouts.mask.shape
    assert (values[~rollouts.mask] == 0).all()
    # column 2 is the value of the third state, before the third decision, at its time
    seen = policy.critic(rollouts.trace["states"][:, 2], policy.times[[2] * 4].float(), rollouts.trace["condition"])
    torch.testing.assert_close(values[:, 2], seen)
    assert values[rollouts.mask].std() > 1e-3
    values.sum().backward()
    assert all(p.grad is None for p in policy.denoiser.parameters())
    assert all(p.grad is not None for p in policy.value_parameters())
    # a copy has its own critic
    copied = copy.deepcopy(policy)
    with torch.no_grad():
        for p in copied.value_parameters():
            p += 0.1
    assert torch.equal(policy.value(rollouts), values)
    assert not torch.equal(copied.value(rollouts), values)


class Knows(nn.Module):
    """A denoiser that knows the one image there is: x̂0 is always that."""

    def __init__(self, image, schedule, prediction):
        super().__init__()
        self.image, self.schedule, self.prediction = nn.Parameter(image), schedule, prediction

    def forward(self, x, t, label):
        alpha, sigma = (w[:, None] for w in self.schedule.weights(t))
        x0 = self.image.expand_as(x)
        return self.prediction.target(x0, (x - alpha * x0) / sigma, alpha, sigma)


@pytest.mark.parametrize(
    ("rule", "schedule", "prediction", "noisy"),
    [(ddpm(), Cosine(), EPS, 3), (flow_sde(0.7), FLOW, VELOCITY, 4), (cps(0.5), FLOW, X0, 3)],
)
def test_demonstrations_are_the_steps_of_one_who_knows_the_answer(rule, schedule, prediction, noisy):
    image = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)

    def policy(knows):
        denoiser = Knows(knows, schedule, prediction)
        return Diffusion(
            denoiser, steps=4, rule=rule, schedule=schedule, prediction=prediction, event="sum", shape=(3,), classes=0
        )

    asked = [replace(problem, answer=image) for problem in problems(None, None)]
    learner = policy(torch.zeros(3).double())
    assert isinstance(learner, Teachable)
    shown = learner.demonstrate(asked, seed=3)
    assert torch.equal(shown.outputs, image.expand(2, 3))
    assert torch.equal(shown.trace["states"][:, -1], shown.outputs)
    assert shown.mask.all()
    assert not torch.equal(shown.trace["states"][0, 1], shown.trace["states"][1, 1])
    logp = policy(image).log_prob(shown)
    torch.testing.assert_close(logp, shown.logp_old, rtol=0, atol=1e-9)
    assert (logp != 0).sum(dim=1).tolist() == [noisy, noisy]
    # one who knows nothing is less likely to take them
    assert (learner.log_prob(shown) - shown.logp_old).sum() < -10
    # his noise is that of sampling: who knows the answer samples what he demonstrates
    steps = policy(image).sample(asked, 1, 3).trace["states"]
    torch.testing.assert_close(steps[:, :-1], shown.trace["states"][:, :-1])


def test_the_denoising_error():
    image = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    asked = [replace(problem, answer=image) for problem in problems(0, None)]

    def policy(knows, prediction):
        return Diffusion(
            Knows(knows, FLOW, prediction),
            steps=3,
            rule=flow_sde(0.5),
            schedule=FLOW,
            prediction=prediction,
            event="sum",
            shape=(3,),
            classes=1,
        )

    for prediction in (V, VELOCITY, X0):
        teacher = policy(image, prediction)
        assert teacher.loss_on(teacher.demonstrate(asked, 5)).abs().max() < 1e-18
    # predicting x0 = image + (.3, -.6, 0) costs (.09 + .36)/3 at any time
    off = policy(image + torch.tensor([0.3, -0.6, 0.0]).double(), X0)
    torch.testing.assert_close(off.loss_on(off.demonstrate(asked, 5)), torch.full((2, 3), 0.15).double())
    # predicting the velocity it costs 1/t² as much, which tells the times: they differ, and belong to the row
    off = policy(image + torch.tensor([0.3, -0.6, 0.0]).double(), VELOCITY)
    shown = off.demonstrate(asked, 5)
    times = (0.15 / off.loss_on(shown)).sqrt()
    assert ((times > 0) & (times < 1)).all()
    assert torch.pdist(times.flatten()[:, None]).min() > 1e-3
    torch.testing.assert_close(off.loss_on(shown[[1]]), off.loss_on(shown)[[1]])
    off.loss_on(shown).sum().backward()
    assert off.denoiser.image.grad.abs().max() > 0
    learner = small(shape=(3,))
    shown = learner.demonstrate(asked, 5)
    torch.testing.assert_close(learner.loss_on(shown[[1]]), learner.loss_on(shown)[[1]])
    # the policy's own samples teach as well (rejection sampling)
    assert off.loss_on(off.sample(asked, 2, 1)).shape == (4, 3)


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
