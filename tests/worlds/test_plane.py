"""The target of the plane, the distance to it, and noise in every step."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.models.schedules import Cosine
from rlft.rewards.images import near
from rlft.types import Problem, Rollouts
from rlft.worlds import plane

POINTS = torch.tensor([[0.1, 0.1], [1.7, 0.1], [1.7, 1.7], [-3.9, 3.9]])


class Fixed(torch.nn.Module):
    """A policy that draws the same four points over and over."""

    def __init__(self, logp=0.0):
        super().__init__()
        self.logp = logp

    def sample(self, problems, group, seed):
        rows = POINTS.repeat(group // 4, 1)
        nothing = torch.ones(len(rows), 1)
        return Rollouts(tuple(problems) * group, group, rows, {}, nothing.bool(), nothing)

    def log_prob(self, rollouts):
        return torch.full((len(rollouts), 2), self.logp)


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    return plane.Target(Fixed(), near((0.1, 0.1)), 2.0, "four")


# -|x - mark|²/2 over beta 2: 0, -.64, -1.28, -(16 + 14.44)/4
WEIGHTS = torch.tensor([1.0, math.exp(-0.64), math.exp(-1.28), math.exp(-7.61)], dtype=torch.float64)


def test_the_target_is_the_reweighted_sample(target):
    assert target.points.shape == (2**16, 2)
    assert target.log_z == pytest.approx(math.log(float(WEIGHTS.mean())), abs=1e-6)
    cells = [(10, 10), (14, 10), (14, 14), (0, 19)]
    for (x, y), weight in zip(cells, WEIGHTS / WEIGHTS.sum(), strict=True):
        assert float(target.shares[20 * x + y]) == pytest.approx(float(weight), abs=1e-6)
    assert float(target.shares.sum()) == pytest.approx(1)


def test_draws_from_the_target_are_near_it_and_the_base_is_not(target):
    problems = [Problem(i, None) for i in range(64)]
    drawn = target.sample(problems, 64, seed=3)
    exact = target.distance(drawn.problems, drawn.outputs)
    assert 0 < exact["total_variation"] < 0.02
    assert exact["score"] == -exact["total_variation"]
    p = WEIGHTS / WEIGHTS.sum()
    base = target.distance(problems, POINTS.repeat(16, 1))["total_variation"]
    assert base == pytest.approx(float((p - 0.25).abs().sum() / 2), abs=1e-6)
    assert base > 0.2
    assert not torch.equal(drawn.outputs, target.sample(problems, 64, seed=4).outputs)


def test_excess_is_the_divergence_of_the_base_from_its_target(target):
    """log Z - E r/beta, with log-ratios of 2 decisions that are .05 each."""
    found = target.excess(Fixed(-0.05))(Fixed())
    rewards_over_beta = torch.tensor([0.0, -0.64, -1.28, -7.61])
    exact = math.log(float(WEIGHTS.mean())) - float(rewards_over_beta.mean())
    assert found == {"excess": pytest.approx(0.1 + exact, abs=1e-6), "kl": pytest.approx(0.1)}
    assert exact > 1


def test_every_step_in_the_plane_has_noise():
    schedule = Cosine(last=0.01)
    times = schedule.times(20)
    w0, w1, s = plane.noisy(schedule, times[:-1], times[1:])
    alpha, sigma = schedule.weights(times[1:])
    assert s.min() == 0.1
    assert (s[:-1] > 0.1).any()
    assert_close(w0, alpha)
    room = sigma > 0.1
    assert_close((w1.square() + s.square())[room], sigma.square()[room])
    assert room.sum() == 18
    assert w1[~room].tolist() == [0, 0]
