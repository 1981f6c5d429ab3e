"""Four blobs in the plane, a reward for coming near a mark between two of them, and the exact optimum.

The optimum of the KL-regularised objective is the sampler's own distribution reweighted by exp(r/beta), so a large
reweighted sample of the base is the target. The distance to it is total variation on a grid; `excess` is
KL(policy || optimum) over whole denoising paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.measure.distribution import grid, histogram, total_variation
from rlft.models.denoiser import mixture_base
from rlft.models.schedules import Cosine, Schedule, V
from rlft.noise import row_keys, uniform
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import FixedRule, Weights, ddim
from rlft.rewards.images import near
from rlft.tasks.mixture import Mixture
from rlft.types import Policy, Problem, Reward, Rollouts, Sampler
from rlft.worlds import World

# Raised when the base's sample in the plane would come out otherwise.
VERSION = 1
_MARK = (1.2, 0.6)
_PLANE = Cosine(last=0.01)
# The last step of DDPM has no noise and so no density; with a little the paths' densities are complete.
_LEAST_NOISE = 0.1
_LOW, _HIGH, _CELLS = -4.0, 4.0, 20
# Points that stand for the target, and paths that the excess is a mean over.
_POINTS, _PATHS = 2**16, 4096


def plane(beta: float, measured: Literal["policy", "target"], pretraining: int, critic: bool = False) -> World:
    """The plane; measured is the `policy`, or for comparison draws from the `target`, the optimum at `beta`."""
    policy, reference, reward = blobs(pretraining, critic), blobs(pretraining), near(_MARK)
    target = Target(reference, reward, beta, f"prdp-plane-{VERSION}-{pretraining}-{_POINTS}.safetensors")
    exact = measured == "target"
    return World(
        policy,
        Mixture(classes=0, components=4),
        Mixture("test", classes=0, components=4),
        reward,
        measures=[target.distance],
        deploy=target if exact else None,
        probes=[] if exact else [target.excess(reference)],
    )


def noisy(schedule: Schedule, t: Tensor, t_next: Tensor) -> Weights:
    """DDPM's step, with a little noise also in the last."""
    w0, _, s = ddim(1.0).of(schedule, t, t_next)
    s = s.clamp(min=_LEAST_NOISE)
    return Weights(w0, (schedule.weights(t_next)[1] ** 2 - s**2).clamp(min=0).sqrt(), s)


def blobs(pretraining: int, critic: bool = False, steps: int = 20) -> Diffusion:
    """A denoiser of four blobs as a policy."""
    points, labels = Mixture(classes=0, components=4).data(8192)
    return Diffusion(
        mixture_base(points, labels, schedule=_PLANE, prediction=V, iterations=pretraining),
        steps=steps,
        rule=FixedRule("ddpm, noisy to the end", noisy),
        schedule=_PLANE,
        prediction=V,
        event="sum",
        shape=(2,),
        classes=0,
        critic=critic,
    )


class Target:
    """p_ref(x) exp(r/beta) / Z: many of the base's own points, and their weights. A `Sampler` that draws from them."""

    def __init__(self, reference: Sampler, reward: Reward, beta: float, name: str):
        self.reward, self.beta = reward, beta
        self.points: Float[Tensor, "M 2"] = _sampled(reference, name)
        log_weights = reward([], self.points).double() / beta
        self.log_z = float(log_weights.logsumexp(0)) - math.log(len(log_weights))
        self.weights = log_weights.softmax(0)
        self.shares = _weighted(self.points, self.weights)

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """Points of the base's sample, each as often as its weight says; no decision is the policy's."""
        u = uniform(row_keys(problems, group, seed), 1)[:, 0].contiguous()
        place = torch.searchsorted(self.weights.cumsum(0), u)
        points = self.points[place.clamp(max=len(self.points) - 1)]
        nothing = torch.zeros(len(points), 1)
        everyone = tuple(problem for problem in problems for _ in range(group))
        return Rollouts(everyone, group, points, {}, nothing.bool(), nothing)

    def distance(self, problems: Sequence[Problem], outputs: Float[Tensor, "N 2"]) -> dict[str, float]:
        """Total variation between the points and the target; as `score`, its negative."""
        apart = total_variation(histogram(outputs, _LOW, _HIGH, _CELLS), self.shares)
        return {"total_variation": apart, "score": -apart}

    def excess(self, reference: Policy) -> Callable[[Any], Mapping[str, float]]:
        """KL(policy || optimum) of whole paths: mean of log pi/pi_ref - r/beta + log Z. No variance at the optimum."""

        @torch.no_grad()
        def probe(policy: Policy) -> dict[str, float]:
            rows = policy.sample([Problem(0, None, task="excess")], _PATHS, seed=0)
            ratio = (policy.log_prob(rows) - reference.log_prob(rows)).sum(1)
            excess = ratio - self.reward(rows.problems, rows.outputs) / self.beta + self.log_z
            return {"excess": float(excess.mean()), "kl": float(ratio.mean())}

        return probe


def _weighted(points: Float[Tensor, "M 2"], weights: Float[Tensor, "M"]) -> Float[Tensor, "C2"]:
    """The weight in each cell of the grid."""
    place = ((points.double() - _LOW) / (_HIGH - _LOW) * _CELLS).floor().long()
    inside = ((place >= 0) & (place < _CELLS)).all(dim=1)
    flat = (place[:, 0] * _CELLS + place[:, 1])[inside]
    return torch.zeros(len(grid(_LOW, _HIGH, _CELLS)), dtype=torch.float64).index_add(0, flat, weights[inside])


def _sampled(reference: Sampler, name: str) -> Float[Tensor, "M 2"]:
    """Points of the base, drawn once with noise that is no run's, and then read from the cache."""

    def build() -> Tensor:
        return reference.sample([Problem(0, None, task="target")], _POINTS, seed=0).outputs

    def save(points: Tensor, path: Path) -> None:
        save_file({"points": points}, path)

    return cached(name, build, save, lambda path: load_file(path)["points"])
