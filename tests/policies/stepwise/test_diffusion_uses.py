"""Diffusion policies: the right marginals, the deployment sampler, the critic, demonstrations."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from rlft.models.schedules import EPS, VELOCITY, X0, Cosine, RectifiedFlow, V
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import cps, dance_sde, ddpm, flow_sde, ode
from rlft.types import HasValue, Policy, Teachable
from tests.policies.stepwise.toy_diffusion import learned_noise, problems, small

FLOW = RectifiedFlow()

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


def test_show_and_save(tmp_path):
    policy = small(shape=(2,))
    assert policy.show(torch.tensor([0.25, -0.5])) == {"kind": "points", "points": [[0.25, -0.5]]}
    assert policy.show(torch.full((2, 3), -1.0)) == {"kind": "image", "shape": [2, 3], "pixels": [[-1.0] * 3] * 2}
    assert policy.show(torch.zeros(3, 4, 5))["shape"] == [4, 5, 3]
    policy.save(tmp_path / "model")
    other = small(shape=(2,), noise=1.0)
    other.load_state_dict(load_file(tmp_path / "model" / "weights.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(policy.parameters(), other.parameters(), strict=True))
