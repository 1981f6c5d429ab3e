"""Guided samplers: they reach the exact tilt, degenerate into the policy, keep rows apart, count what they spend."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.guidance.samplers import BestOf, Guided, _Swarm, best_of, smc, svdd, svdd_r
from rlft.guidance.values import Halfway, Predicted, Regressed, Spent, Value, fit
from rlft.models.denoiser import ResidualMLP
from rlft.models.schedules import EPS, VELOCITY, Cosine, RectifiedFlow
from rlft.models.token_denoiser import TokenCritic
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import dance_sde, ddim, ddpm
from rlft.types import Policy, Sampler, UserError
from tests.fakes import Cards, Table, share
from tests.policies.stepwise.exact_strings import (
    ExactValue,
    apart,
    blanks,
    exact_policy,
    frequencies,
    rewards_by,
    some_law,
)
from tests.policies.stepwise.test_diffusion_uses import ExactGaussian
from tests.policies.stepwise.toy_diffusion import problems, small

ALPHA = 0.5


def case(letters=3, length=2):
    """A policy of which all is known, a reward, its exact value, the law and its tilt."""
    count = letters**length
    policy = exact_policy(letters, length, law=some_law(count, seed=3, sharp=0.7))
    rewards = torch.linspace(-1, 1, count).double()[torch.randperm(count, generator=torch.Generator().manual_seed(1))]
    tilt = (policy.denoiser.law.log() + rewards / ALPHA).softmax(0)
    assert apart(tilt, policy.denoiser.law) > 0.3
    return policy, rewards, ExactValue(policy, rewards, ALPHA), tilt


def drawn(sampler, policy, rows, group=1, seed=0):
    found = sampler.sample(blanks(rows // group), group, seed)
    return frequencies(policy, found.trace["data"])


# The exact tilt: strings -------------------------------------------------------------------------------------------


def test_the_exact_value_is_a_martingale():
    """E[exp(v/α)] after a step is exp(v/α) before it, and the end's value is the reward: so weights are constant."""
    policy, rewards, value, _ = case()
    states = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    some = states[(states == 3).any(1)]
    left = (some == 3).sum(1)
    ahead = policy.step(some, 2 - left, torch.zeros(len(some), dtype=torch.long))
    mean = torch.zeros(len(some)).double()
    for there in states:
        grown = ((some == there) | (some == 3)).all(1) & (((some == 3) & (there < 3)).sum(1) == 1)
        chance = torch.where(grown, ahead.log_prob(there.expand_as(some)).exp(), 0)
        mean += chance * (value.of(there[None]) / ALPHA).exp()
    assert_close(ALPHA * mean.log(), value.of(some), atol=1e-12, rtol=0)
    assert_close(value.of(policy.denoiser.strings), rewards, atol=1e-12, rtol=0)
    assert value.of(some).std() > 0.1


def test_svdd_with_exact_values_draws_from_the_tilt():
    policy, _, value, tilt = case()
    # 4000 draws of 9 strings are about 0.02 from their law
    assert apart(drawn(svdd(policy, value, alpha=ALPHA, candidates=48), policy, 4000), tilt) < 0.035
    assert apart(drawn(svdd(policy, value, alpha=ALPHA, candidates=2), policy, 4000), tilt) > 0.1


def test_svdd_with_two_candidates_has_the_law_of_two_candidates():
    policy, rewards, value, tilt = case(letters=3, length=1)
    law, weight = policy.denoiser.law, (rewards / ALPHA).exp()
    exactly = torch.zeros(3).double()
    for a, b in itertools.product(range(3), repeat=2):
        for kept in (a, b):
            exactly[kept] += law[a] * law[b] * weight[kept] / (weight[a] + weight[b])
    found = drawn(svdd(policy, value, alpha=ALPHA, candidates=2), policy, 8000)
    assert apart(exactly, tilt) > 0.1 and apart(exactly, law) > 0.1
    assert apart(found, exactly) < 0.015


@pytest.mark.parametrize("make", [smc, svdd_r])
def test_resampled_groups_draw_from_the_tilt(make):
    """In groups of many rows, even where the values on the way are wrong."""
    policy, rewards, value, tilt = case()
    predicted = Predicted(rewards_by(policy, rewards))
    for some in (value, predicted):
        assert apart(drawn(make(policy, some, alpha=ALPHA), policy, 6000, group=1500), tilt) < 0.035
    assert apart(drawn(svdd(policy, predicted, alpha=ALPHA), policy, 3000), tilt) > 0.06  # and SVDD alone does not


def test_more_particles_than_rows():
    policy, rewards, _, tilt = case()
    predicted = Predicted(rewards_by(policy, rewards))
    one, many = (drawn(smc(policy, predicted, alpha=ALPHA, particles=n), policy, 2000) for n in (1, 24))
    assert apart(one, policy.denoiser.law) < 0.04
    assert apart(many, tilt) < 0.06


# The exact tilt: a Gaussian ----------------------------------------------------------------------------------------


class Linear:
    """The chain's own E[slope·x_K | x]: with a linear reward the soft value, but for a constant."""

    def __init__(self, policy, slope):
        self.slope, self.lines = slope, [(0.0, 1.0)]
        self.gain = 0.0  # Σ (what a step's noise becomes in the end)²
        for k in reversed(range(policy.steps)):
            ahead = policy.step(torch.tensor([[0.0], [1.0]]).double(), torch.tensor([k, k]), torch.tensor([0, 0]))
            offset, one = ahead.mean[:, 0].tolist()
            far, near = self.lines[0]
            self.gain += (near * float(ahead.std[0])) ** 2
            self.lines.insert(0, (far + near * offset, near * (one - offset)))

    def __call__(self, states):
        far, near = self.lines[states.k]
        return self.slope * (far + near * states.x[:, 0]), None


def chain(schedule=RectifiedFlow(), prediction=VELOCITY, rule=dance_sde(0.3), steps=4):
    return Diffusion(
        ExactGaussian(schedule, prediction),
        steps=steps,
        rule=rule,
        schedule=schedule,
        prediction=prediction,
        event="sum",
        shape=(1,),
        classes=0,
        block=512,
    )


def test_a_gaussian_is_shifted_by_its_variance():
    """x ~ N(m, s²) and r = c·x give N(m + c·s²/α, s²). SVDD does not choose the start: its share of s² is missing."""
    policy, slope = chain(), 0.3
    value = Linear(policy, slope)
    far, near = value.lines[0]
    variance = near**2 + value.gain
    shift = 0.2  # of the whole tilt: c·s²/α
    alpha = slope * variance / shift
    assert near**2 > 0.2 * variance
    end = {
        "svdd": svdd(policy, value, alpha=alpha, candidates=32).sample(blanks(4000), 1, 0),
        "smc": smc(policy, value, alpha=alpha).sample(blanks(4), 1000, 0),
    }
    end = {name: rows.outputs[:, 0] for name, rows in end.items()}
    # a mean of 4000 has a deviation of .004; 32 candidates cost a few parts in a hundred of the shift
    assert float(end["svdd"].mean()) - far == pytest.approx(shift * value.gain / variance, abs=0.015)
    assert float(end["smc"].mean()) - far == pytest.approx(shift, abs=0.02)
    for name in end:
        assert float(end[name].var()) == pytest.approx(variance, rel=0.08)


def test_predicted_samples_are_the_values_of_a_gaussian():
    """E[x0 | x] is what an exact denoiser predicts, and the reward is linear."""
    policy = chain(Cosine(), EPS, ddim(1.0), steps=8)

    def reward(asked, x):
        return 0.3 * x[:, 0]

    alpha = 0.3 * 0.09 / 0.2
    plain = policy.sample(blanks(2000), 1, 0).outputs[:, 0]
    led = svdd(policy, Predicted(reward), alpha=alpha, candidates=24).sample(blanks(2000), 1, 0).outputs[:, 0]
    # .2 times the share of the chain's variance that its noise has: all but that of the start
    value = Linear(policy, 0.3)
    assert float(led.mean() - plain.mean()) == pytest.approx(0.2 * value.gain / 0.09, abs=0.02)


# Degenerations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy", [small(), small(rule=ddpm(), shape=(2,)), exact_policy()], ids=["8x8", "2", "letters"]
)
def test_one_of_everything_is_the_policy_bit_for_bit(policy):
    asked = problems(1, 0) if isinstance(policy, Diffusion) else blanks(2)

    def reward(asked, outputs):
        return [float(len(str(output)) % 3) for output in outputs]

    plain = policy.sample(asked, 3, seed=7)
    for one in (svdd(policy, Predicted(reward), alpha=0.1, candidates=1), best_of(policy, reward, 1)):
        same(one.sample(asked, 3, seed=7), plain)
    single = policy.sample(asked, 1, seed=7)
    same(smc(policy, Predicted(reward), alpha=0.1).sample(asked, 1, seed=7), single)
    ten, led = (make(policy, Predicted(reward), alpha=0.1, candidates=4) for make in (svdd, svdd_r))
    same(led.sample(asked, 1, seed=7), ten.sample(asked, 1, seed=7))


def same(one, other):
    assert set(one.trace) == set(other.trace)
    for name, values in one.trace.items():
        assert torch.equal(values, other.trace[name]), name
    assert torch.equal(one.logp_old, other.logp_old) and torch.equal(one.mask, other.mask)
    assert one.problems == other.problems and one.group == other.group


def test_an_infinite_alpha_is_the_policys_law():
    policy, _, value, tilt = case()
    for sampler in (svdd(policy, value, alpha=math.inf, candidates=5), smc(policy, value, alpha=math.inf)):
        found = drawn(sampler, policy, 4000, group=4)
        assert apart(found, policy.denoiser.law) < 0.035 < apart(found, tilt)


def test_alpha_zero_takes_the_best_candidate():
    policy, rewards, _, _ = case(letters=3, length=1)
    value = Predicted(rewards_by(policy, rewards))
    best = svdd(policy, value, alpha=0.0, candidates=3).sample(blanks(500), 1, 0)
    almost = svdd(policy, value, alpha=1e-6, candidates=3).sample(blanks(500), 1, 0)
    assert torch.equal(best.trace["data"], almost.trace["data"])
    # the law of the best of 3
    law, order = policy.denoiser.law, rewards.argsort()
    below = torch.cat([torch.zeros(1).double(), law[order].cumsum(0)]) ** 3
    assert apart(frequencies(policy, best.trace["data"])[order], below.diff()) < 0.05
    with pytest.raises(UserError, match="alpha=0 leaves one particle"):
        smc(policy, value, alpha=0.0)


def test_best_of_has_the_law_of_the_best():
    """p(x)/P(r = r(x)) · (F(r)^N - F(r-)^N), with ties, and which of equals is best does not matter to the law."""
    policy, _, _, _ = case()
    rewards = torch.tensor([0.0, 1.0, 2.0, 1.0, 2.0, 0.0, 3.0, 1.0, 0.0]).double()
    law = policy.denoiser.law
    exactly = torch.zeros(9).double()
    for i, r in enumerate(rewards):
        upto, below, here = law[rewards <= r].sum(), law[rewards < r].sum(), law[rewards == r].sum()
        exactly[i] = law[i] / here * (upto**4 - below**4)
    assert float(exactly.sum()) == pytest.approx(1)
    found = drawn(best_of(policy, rewards_by(policy, rewards), 4), policy, 6000, group=2)
    assert apart(exactly, law) > 0.2
    assert apart(found, exactly) < 0.03


def test_best_of_any_policy():
    table, cards = Table(), Cards()
    asked = [cards.at(i) for i in (2, 5)]
    best = best_of(table, share, 6).sample(asked, 2, seed=3)
    everything = table.sample(asked, 12, seed=3)
    scores = torch.tensor(share(everything.problems, everything.outputs)).view(4, 6)
    assert share(best.problems, best.outputs) == pytest.approx(scores.max(1).values.tolist())
    assert scores.std() > 0.1 and best.group == 2 and [p.index for p in best.problems] == [2, 2, 5, 5]
    assert_close(table.log_prob(best).detach(), best.logp_old)


def test_what_cannot_be_scored_is_not_chosen():
    policy, rewards, _, _ = case()
    known = rewards_by(policy, rewards)

    def patchy(asked, outputs):
        return [None if str(o).startswith("B") else r for o, r in zip(outputs, known(asked, outputs), strict=True)]

    plain = policy.sample(blanks(60), 2, 0)
    assert any(str(output).startswith("B") for output in plain.outputs)
    samplers = [best_of(policy, patchy, 12)]
    samplers += [make(policy, Predicted(patchy), alpha=1.0, candidates=24) for make in (svdd, svdd_r)]
    samplers += [smc(policy, Predicted(patchy), alpha=1.0, particles=12)]
    for sampler in samplers:
        assert not any(str(output).startswith("B") for output in sampler.sample(blanks(60), 2, 0).outputs)
    never = best_of(policy, lambda asked, outputs: [None] * len(outputs), 3).sample(blanks(60), 2, 0)
    assert len(never) == 120
    silent = svdd_r(policy, Predicted(lambda asked, outputs: [None] * len(outputs)), alpha=1.0).sample(blanks(3), 4, 0)
    assert len(silent) == 12


# Weights -----------------------------------------------------------------------------------------------------------


class Everywhere:
    """Steps to V places with equal chances, whose m-th draw is the m-th place: candidates are all there is."""

    def __init__(self, x, places):
        self.x, self.places, self.draws = x, places, itertools.count()

    @property
    def stochastic(self):
        return torch.ones(len(self.x), dtype=torch.bool)

    def noise(self, keys, k):
        return torch.zeros(len(keys), 1)

    def draw(self, z):
        return torch.full((len(self.x), 1), next(self.draws) % self.places) + self.places * self.x

    def log_prob(self, x):
        return torch.full((len(x),), -math.log(self.places), dtype=torch.float64)

    def kl(self, other):
        return torch.zeros(len(self.x), dtype=torch.float64)

    def __getitem__(self, rows):
        return Everywhere(self.x[rows], self.places)


class Tree(nn.Module):
    """States are numbers in base V that grow by a digit a step; all numbers are equally likely."""

    steps, places = 3, 4

    def keys(self, asked, group, seed):
        return torch.arange(len(asked) * group) + 100 * seed

    def condition(self, asked):
        return torch.zeros(len(asked), dtype=torch.long)

    def start(self, keys):
        return torch.zeros(len(keys), 1, dtype=torch.long)

    def foresee(self, x, k, condition):
        return Everywhere(x, self.places), x

    def decode(self, x):
        return x


def value_of_tree(tree, rewards, alpha):
    def value(states):
        each = (rewards / alpha).exp().view(tree.places**states.k, -1).mean(1)
        return alpha * each[states.x[:, 0]].log(), None

    return value


def test_exact_values_and_all_candidates_have_constant_weights():
    tree, draws = Tree(), torch.Generator().manual_seed(0)
    rewards = torch.randn(64, generator=draws, dtype=torch.float64)
    value = value_of_tree(tree, rewards, 0.4)
    swarm = _Swarm(Guided(tree, value, 0.4, candidates=4, below=1.0), blanks(2), 8, 0)
    start = swarm.log_weight.clone()
    for k in range(3):
        swarm.step(k)
        assert_close(swarm.log_weight, start, atol=1e-12, rtol=0)
        swarm.renew(k)
    assert len(swarm.states[:, -1].unique()) > 4
    other = _Swarm(Guided(tree, value_of_tree(tree, rewards, 0.8), 0.4, candidates=4, below=1.0), blanks(2), 8, 0)
    other.step(0)
    assert (other.log_weight - start).abs().max() > 1e-2  # with other values they are not


def test_one_candidate_has_the_weight_of_its_value():
    policy, _, value, _ = case()
    for threshold in (0.0, 1e-9):
        swarm = _Swarm(Guided(policy, value, ALPHA, particles=2, below=threshold), blanks(2), 6, 1)
        for k in range(2):
            swarm.step(k)
            assert_close(swarm.log_weight, value.of(swarm.states[:, k + 1]) / ALPHA, atol=1e-9, rtol=0)
            swarm.renew(k)
        assert swarm.log_weight.std() > 0.3


# Rows --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("couples", [False, True], ids=["svdd", "resampled"])
def test_who_depends_on_whom(couples):
    """Never on another group; on the rows of its own group only where these are drawn anew."""
    policy, rewards, _, _ = case()
    value = Predicted(rewards_by(policy, rewards))
    make = svdd_r if couples else svdd
    sampler = make(policy, value, alpha=0.3, candidates=3)
    asked = blanks(5)
    together, turned = sampler.sample(asked, 4, seed=2), sampler.sample(asked[::-1], 4, seed=2)
    alone = sampler.sample(asked[3:4], 4, seed=2)
    for name, values in together.trace.items():
        assert torch.equal(values[12:16], alone.trace[name]), name
        assert torch.equal(values, turned.trace[name].unflatten(0, (5, 4)).flip(0).flatten(0, 1)), name
    fewer = sampler.sample(asked, 2, seed=2).trace["states"]
    first = together.trace["states"].unflatten(0, (5, 4))[:, :2].flatten(0, 1)
    assert torch.equal(fewer, first) != couples
    assert not torch.equal(sampler.sample(asked, 4, seed=3).trace["states"], together.trace["states"])


def test_classes_stay_with_their_rows():
    policy = small(shape=(2,), classes=3)

    def reward(asked, points):
        return [p.input * 10 + float(x[0]) for p, x in zip(asked, points, strict=True)]

    for sampler in (
        svdd_r(policy, Predicted(reward), alpha=0.2),
        smc(policy, Predicted(reward), alpha=0.2, particles=3),
    ):
        rows = sampler.sample(problems(2, 0, 1), 4, seed=0)
        assert rows.trace["condition"].tolist() == [2] * 4 + [0] * 4 + [1] * 4
        assert [p.input for p in rows.problems] == rows.trace["condition"].tolist()
        logp = policy.log_prob(rows).detach()
        assert_close(logp, rows.logp_old, atol=1e-9, rtol=0)  # what was decided is scored in its own class


def test_guided_rows_are_the_policys_rows_but_more_rewarding():
    policy = small(dtype=torch.float64)

    def reward(asked, images):
        return images.flatten(1).mean(1)

    plain = policy.sample(problems(0, 1), 20, seed=0)
    for sampler in (
        best_of(policy, reward, 6),
        svdd(policy, Predicted(reward), alpha=0.01),
        smc(policy, Predicted(reward), alpha=0.01, particles=6),
        svdd_r(policy, Predicted(reward), alpha=0.01),
    ):
        rows = sampler.sample(problems(0, 1), 20, seed=0)
        assert isinstance(sampler, Sampler) and not isinstance(sampler, Policy)
        assert_close(policy.log_prob(rows).detach(), rows.logp_old, atol=1e-9, rtol=0)
        assert torch.equal(rows.outputs, rows.trace["states"][:, -1])
        assert (
            reward(None, rows.outputs).mean()
            > reward(None, plain.outputs).mean() + plain.outputs.mean((1, 2)).std() / 4
        )


# What it costs -----------------------------------------------------------------------------------------------------


class Counting(nn.Module):
    """Counts the rows it is asked for."""

    def __init__(self):
        super().__init__()
        self.net, self.rows = ResidualMLP((2,), classes=3, width=8, blocks=1), 0

    def forward(self, x, t, label):
        self.rows += len(x)
        return self.net(x, t, label)


class First(nn.Module):
    def forward(self, x, t, label):
        return x[:, 0]


@pytest.mark.parametrize(
    ("make", "network", "rewarded"),
    [  # of 4 steps, the last without noise: M = 5 candidates of steps 1 to 3
        (lambda p, r: best_of(p, r, 5), 5 * 4, 5),
        (lambda p, r: svdd(p, Predicted(r), alpha=0.1, candidates=5), 1 + 5 * 3, 5 * 3),
        (lambda p, r: svdd_r(p, Predicted(r), alpha=0.1, candidates=5), 1 + 5 * 3, 1 + 5 * 3 + 1),
        (lambda p, r: smc(p, Predicted(r), alpha=0.1, particles=5), 5 * 4, 5 * (1 + 4)),
        (lambda p, r: svdd(p, Regressed(First(), r), alpha=0.1, candidates=5), 4, 0),
    ],
)
def test_what_was_spent_is_what_was_asked(make, network, rewarded):
    net, scored = Counting(), []

    def reward(asked, points):
        scored.append(len(points))
        return points[:, 0]

    policy = Diffusion(
        net, steps=4, rule=ddpm(), schedule=Cosine(), prediction=EPS, event="sum", shape=(2,), classes=3, block=1
    )
    net.rows = 0
    sampler = make(policy, reward)
    sampler.sample(problems(0, 1), 3, seed=0)
    spent = sampler.spent
    assert (spent.network, spent.reward, spent.rows) == (net.rows, sum(scored), 6)
    assert (spent.network / 6, spent.reward / 6) == (network, rewarded)
    per_row = spent.per_row()
    assert per_row["calls"] == per_row["calls/network"] + per_row["calls/critic"]
    assert per_row["calls/critic"] == (15 if isinstance(getattr(sampler, "value", None), Regressed) else 0)


def test_nothing_spent():
    assert Spent().per_row() == {"calls": 0, "calls/network": 0, "calls/critic": 0, "calls/reward": 0}


# Values ------------------------------------------------------------------------------------------------------------


def test_predicted_letters_are_the_likeliest():
    policy, rewards, _, _ = case()
    reward = rewards_by(policy, rewards)
    x = torch.tensor([[3, 3], [1, 3]])
    halfway = Halfway(policy, blanks(2), x, 0, torch.zeros(2, dtype=torch.long), Spent())
    values, ahead = Predicted(reward)(halfway)
    filled = policy.denoiser(x, None).argmax(2)
    filled = torch.where(x == 3, filled, x)
    assert values.tolist() == pytest.approx(reward(None, policy.decode(filled)), abs=1e-6)
    assert ahead is not None and ahead.masked.tolist() == [[True, True], [False, True]]
    assert isinstance(Predicted(reward), Value)


def test_a_fitted_critic_says_what_is_to_be_expected():
    policy, rewards, _, _ = case()
    rewards = 3 * rewards
    reward = rewards_by(policy, rewards)
    before = torch.get_rng_state()
    value = fit(TokenCritic(2, 3, width=16), policy, blanks(6000), 1, reward, iterations=600, batch=64, lr=1e-2, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    x = torch.tensor([[3, 3], [0, 3], [1, 3], [2, 3], [3, 0], [3, 1], [3, 2]])
    weight = policy.denoiser.fits(x) * policy.denoiser.law
    expected = (weight * rewards).sum(1) / weight.sum(1)
    spent = Spent()
    found, ahead = value(Halfway(policy, blanks(7), x, 0, torch.zeros(7, dtype=torch.long), spent))
    assert ahead is None and spent.critic == 7 and spent.network == spent.reward == 0
    # a mean of some 1000 rewards whose deviation is 1.7
    assert_close(found.double(), expected, atol=0.15, rtol=0)
    assert expected.std() > 0.6
    last, _ = value(Halfway(policy, blanks(9), policy.denoiser.strings, 2, torch.zeros(9, dtype=torch.long), spent))
    assert_close(last.double(), rewards, atol=1e-6, rtol=0)
    assert not any(p.requires_grad for p in value.critic.parameters())


def test_mistakes_are_explained():
    policy, _, value, _ = case()
    with pytest.raises(UserError, match="no two different rewards"):
        fit(TokenCritic(2, 3), policy, blanks(4), 2, lambda asked, outputs: [1.0] * len(outputs))
    with pytest.raises(UserError, match="best of 0"):
        best_of(policy, share, 0)
    for settings in ({"candidates": 0}, {"particles": 0}, {"below": 1.5}):
        with pytest.raises(UserError, match="at least one of each"):
            Guided(policy, value, 0.1, **settings)
    for alpha in (-1.0, math.nan):
        with pytest.raises(UserError, match="alpha not negative"):
            svdd(policy, value, alpha=alpha)
    with pytest.raises(UserError, match="Table predicts no sample on its way, so nothing can lead it: use best_of"):
        svdd(Table(), value, alpha=0.1)
    assert isinstance(best_of(Table(), share, 2), BestOf)
