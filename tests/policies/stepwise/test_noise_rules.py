"""The table of noise rules: every row with numbers worked out by hand, and what degenerates into what."""

import math

import pytest
import torch

from rlft.models.schedules import EPS, VELOCITY, X0, Cosine, Prediction, RectifiedFlow, V
from rlft.policies.stepwise.noise_rules import between, cps, dance_sde, ddim, ddpm, flow_noise, flow_sde, ode
from rlft.types import UserError


class Stub:
    """α and σ of two times only: .6, .8 before the step and .8, .6 after it."""

    def weights(self, t):
        late = (t > 0.5).double()
        return 0.6 * late + 0.8 * (1 - late), 0.8 * late + 0.6 * (1 - late)

    def times(self, steps):
        return torch.tensor([0.9, 0.4], dtype=torch.float64)


class Constant(torch.nn.Module):
    """A noise head that always says the same."""

    def __init__(self, raw):
        super().__init__()
        self.raw = raw

    def forward(self, x, t, label):
        return torch.full_like(x, self.raw)


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def weights(rule, schedule, now, then):
    return [float(w) for w in rule(schedule, t(now), t(then), torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))]


FLOW = RectifiedFlow()


@pytest.mark.parametrize(
    ("rule", "schedule", "now", "then", "expected"),
    [
        (ode(), FLOW, 0.8, 0.5, (0.5, 0.5, 0)),
        (ode(), Stub(), 0.9, 0.4, (0.8, 0.6, 0)),
        # s = .5·(.6/.8)·√(1 - .36/.64) = .375·√.4375;  w1 = √(.36 - s²)
        (ddim(0.5), Stub(), 0.9, 0.4, (0.8, math.sqrt(0.36 - 0.375**2 * 0.4375), 0.375 * math.sqrt(0.4375))),
        # s² = .5625·.4375 = .24609375;  .36 - s² = .11390625 = .3375²
        (ddpm(), Stub(), 0.9, 0.4, (0.8, 0.3375, math.sqrt(0.24609375))),
        # α = .2, σ = .8 -> α' = σ' = .5: ratio .2·.5/(.5·.8) = .25;  s = .6·.5·√(1 - .0625)
        (ddim(0.6), FLOW, 0.8, 0.5, (0.5, math.sqrt(0.25 - 0.09 * 0.9375), 0.3 * math.sqrt(0.9375))),
        # g² = .49·.8/.2 = 1.96, δ = .3: w1 = .5 - .588/1.6, s = √.588
        (flow_sde(0.7), FLOW, 0.8, 0.5, (0.5, 0.1325, math.sqrt(0.588))),
        # at t = 1 the divisor is 1 - t' = .25: g² = .25/.25 = 1, w1 = .75 - .25/2, s = √.25
        (flow_sde(0.5), FLOW, 1.0, 0.75, (0.25, 0.625, 0.5)),
        # the last step is noisy: g² = .49·.25/.75, δ = .25
        (flow_sde(0.7), FLOW, 0.25, 0.0, (1.0, -0.49 / 3 * 0.25 / 0.5, math.sqrt(0.49 / 12))),
        # w1 = .5 - .16·.3/1.6, s = .4·√.3
        (dance_sde(0.4), FLOW, 0.8, 0.5, (0.5, 0.47, 0.4 * math.sqrt(0.3))),
        # π/6: cos = √3/2, sin = 1/2
        (cps(1 / 3), FLOW, 0.8, 0.4, (0.6, 0.4 * math.sqrt(3) / 2, 0.2)),
        (cps(1 / 3), Stub(), 0.9, 0.4, (0.8, 0.3 * math.sqrt(3), 0.3)),
    ],
)
def test_every_row_of_the_table(rule, schedule, now, then, expected):
    assert weights(rule, schedule, now, then) == pytest.approx(expected, abs=1e-12)


def test_ddpm_is_the_posterior_of_its_paper():
    # ᾱ = .36, ᾱ' = .64, so α_t = .5625 and β = .4375 (Ho et al. 2020, Eq. 7):
    # μ = √ᾱ'·β/(1-ᾱ)·x0 + √α_t·(1-ᾱ')/(1-ᾱ)·x = .546875·x0 + .421875·x
    w0, w1, s = weights(ddpm(), Stub(), 0.9, 0.4)
    x0, x = 1.7, -0.4
    assert w0 * x0 + w1 * (x - 0.6 * x0) / 0.8 == pytest.approx(0.546875 * x0 + 0.421875 * x, abs=1e-12)
    assert s**2 == pytest.approx((1 - 0.64) / (1 - 0.36) * 0.4375, abs=1e-12)


def test_flow_noise_stays_within_its_bounds():
    def noise(raw):
        rule = flow_noise(Constant(raw), low=0.04, high=0.64)
        w0, w1, s = rule(FLOW, t(0.8), t(0.5), torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
        assert (float(w0), float(w1)) == (0.5, 0.5)
        return s[0].tolist()

    # geometric: the middle of .04 and .64 is .16; tanh = .5 is three quarters of the way, .04^¼·.64^¾ = .32
    assert noise(0.0) == pytest.approx([0.16, 0.16])
    assert noise(math.atanh(0.5)) == pytest.approx([0.32, 0.32])
    assert noise(50.0) == pytest.approx([0.64, 0.64])
    assert noise(-50.0) == pytest.approx([0.04, 0.04])


@pytest.mark.parametrize(
    ("rule", "same", "schedule"),
    [
        (ddim(0.0), ode(), Cosine()),
        (ddim(1.0), ddpm(), Cosine()),
        (flow_sde(0.0), ode(), FLOW),
        (dance_sde(0.0), ode(), FLOW),
        (cps(0.0), ode(), FLOW),
        (between(0.0, 1.0, flow_sde(0.7)), flow_sde(0.7), FLOW),
    ],
)
def test_degenerates_into(rule, same, schedule):
    times = schedule.times(5)
    x, label = torch.zeros(5, 2), torch.zeros(5, dtype=torch.long)
    for mine, theirs in zip(
        rule(schedule, times[:-1], times[1:], x, label), same(schedule, times[:-1], times[1:], x, label), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-15)


def test_a_window_is_noisy_inside_and_plain_outside():
    times = FLOW.times(4)  # steps start at 1, .75, .5, .25
    state = torch.zeros(4, 2), torch.zeros(4, dtype=torch.long)
    inside = between(0.5, 0.75, dance_sde(0.3))(FLOW, times[:-1], times[1:], *state)
    plain, noisy = (rule(FLOW, times[:-1], times[1:], *state) for rule in (ode(), dance_sde(0.3)))
    for mine, off, on in zip(inside, plain, noisy, strict=True):
        assert mine.tolist() == [off[0], on[1], off[2], off[3]]
    assert inside.s.count_nonzero() == 1


def test_which_steps_are_decisions():
    for rule, schedule, noisy in [
        (ddpm(), Cosine(), [True] * 3 + [False]),
        (ddpm(), FLOW, [True] * 3 + [False]),
        (cps(0.5), FLOW, [True] * 3 + [False]),
        (flow_sde(0.7), FLOW, [True] * 4),
        (dance_sde(0.3), FLOW, [True] * 4),
        (ode(), FLOW, [False] * 4),
    ]:
        times = schedule.times(4)
        s = rule(schedule, times[:-1], times[1:]).s
        assert (s > 0).tolist() == noisy, rule.name


def test_schedules():
    alpha, sigma = Cosine(last=0.1).weights(t(0.0, 0.5, 1.0))
    # cos(c/2) = √((1 + cos c)/2) with cos c = .1
    assert alpha.tolist() == pytest.approx([1, math.sqrt(0.55), 0.1], abs=1e-12)
    assert (alpha**2 + sigma**2).tolist() == pytest.approx([1, 1, 1])
    assert [w.tolist() for w in RectifiedFlow().weights(t(0.3))] == [[0.7], [0.3]]
    # 3t / (1 + 2t) at 1, .5, 0
    assert RectifiedFlow(shift=3.0).times(2).tolist() == [1, 0.75, 0]
    for schedule in (Cosine(), FLOW, RectifiedFlow(shift=3.0)):
        assert schedule.times(7)[-1] == 0
        assert schedule.weights(t(0.0))[1] == 0


SHIFTS = (0.05, 0.1, 0.3, 0.7, 1.0, 1.7, 3.0, 6.2, 20.0)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 28, 1000])
def test_every_shift_begins_at_noise_and_ends_at_data(shift, steps):
    schedule = RectifiedFlow(shift)
    times = schedule.times(steps)
    assert (times[0], times[-1]) == (1, 0) and (times.diff() < 0).all()
    now, then = times[:-1], times[1:]
    sde = flow_sde(0.7)(schedule, now, then)
    # the divisor of the first step is 1 - t' = δ, so its noise is a, whatever the step's length
    assert float(sde.s[0]) == pytest.approx(0.7, abs=1e-12)
    assert float(sde.w1[0]) == pytest.approx(float(then[0]) - 0.245, abs=1e-12)
    for rule in (flow_sde(0.7), dance_sde(0.3), ddim(0.5), ddpm(), cps(0.5), ode()):
        weights = rule(schedule, now, then)
        assert all(w.isfinite().all() for w in weights), rule.name
        for one, whole in zip(between(0.0, 1.0, rule)(schedule, now, then), weights, strict=True):
            assert torch.equal(one, whole), rule.name


@pytest.mark.parametrize("miss", [-1e-7, -1e-16, 0.0, 2e-16, 1e-7])
def test_times_that_miss_a_bound_by_their_rounding_are_on_it(miss):
    now, then = t(1 + miss, 0.6), t(0.6, 0.3)
    assert float(flow_sde(0.7)(FLOW, now, then).s[0]) == pytest.approx(0.7, abs=1e-6)
    # 0.6 + miss is where the window begins or ends: a step from there is inside only if it ends there
    here = t(0.6 + miss), t(0.3)
    assert float(between(0.2, 0.6, dance_sde(0.4))(FLOW, *here).s) > 0
    assert float(between(0.6, 0.9, dance_sde(0.4))(FLOW, *here).s) == 0


@pytest.mark.parametrize(
    ("prediction", "target"),
    # x0 = 2, x1 = -.5, α = .6, σ = .3 (not variance-preserving, so that α² + σ² must be divided by)
    [(EPS, -0.5), (X0, 2.0), (V, 0.6 * -0.5 - 0.3 * 2.0), (VELOCITY, -2.5)],
)
def test_predictions_there_and_back(prediction: Prediction, target):
    x0, x1, alpha, sigma = t(2.0), t(-0.5), t(0.6), t(0.3)
    assert float(prediction.target(x0, x1, alpha, sigma)) == pytest.approx(target)
    data, noise = prediction.estimates(alpha * x0 + sigma * x1, t(target), alpha, sigma)
    assert (float(data), float(noise)) == pytest.approx((2.0, -0.5))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ddim(1.5), "between 0"),
        (lambda: flow_sde(-1.0), "not negative"),
        (lambda: dance_sde(-1.0), "not negative"),
        (lambda: cps(2.0), "between 0 and 1"),
        (lambda: between(0.5, 0.5, ode()), "0 <= low < high"),
        (lambda: flow_noise(Constant(0.0), low=0.2, high=0.1), "0 < low <= high"),
        (lambda: weights(flow_sde(0.7), Cosine(), 0.8, 0.5), "rectified flow"),
        (lambda: weights(dance_sde(0.7), Cosine(), 0.8, 0.5), "rectified flow"),
        (lambda: Cosine(last=0.0), "between 0 and 1"),
        (lambda: RectifiedFlow(shift=0.0), "positive number"),
        (lambda: RectifiedFlow(shift=math.nan), "positive number"),
        (lambda: FLOW.times(0), "at least one step"),
    ],
)
def test_errors_say_what_was_expected(make, words):
    with pytest.raises(UserError, match=words):
        make()
