"""A point to be kept in the middle, seen through a rotation with distraction in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from rlft.environments.distracted import Centring, Distracted
from rlft.environments.play import play
from rlft.environments.protocol import Episode
from rlft.measure.probes import linear_r2
from rlft.types import Problem
from rlft.worldmodels.imagination import Dreamer
from rlft.worlds import Ground
from rlft.worlds.believing import believer


def dreamed(
    horizon: int = 30,
    distractors: int = 32,
    sources: int = 6,
    amplitude: float = 1.0,
    look: int = 0,
    deter: int = 64,
    stoch: int = 8,
    width: int = 64,
    seed: int = 0,
) -> Ground:
    """A policy with a world model, in a world that shows more than matters.

    Args:
        horizon: steps after which an episode is cut off.
        distractors: numbers beside the four of the point, mixed with them by a rotation.
        sources: series that these are mixtures of.
        amplitude: their deviation; 0 is the clean world, seen through as many numbers.
        look: which rotation.
        deter: numbers of the model's memory.
        stoch: numbers of its latent that are drawn.
        width: of all hidden layers.
        seed: of everything random.
    """
    world = Distracted(Centring(horizon), distractors, sources, amplitude, look=look)
    policy = believer(world, width, seed, deter, stoch)
    return Ground(policy, world, measures=[normalised(world), probed(policy, world)])


def normalised(world: Distracted) -> Callable[[Sequence[Problem], Sequence[Episode]], Mapping[str, float]]:
    """A measure, `score`: returns in units where uniform actions earn 0 and a good controller 1."""
    inner = world.inner
    assert isinstance(inner, Centring)
    keys = torch.arange(256)
    noise = torch.Generator().manual_seed(0)

    def mean(act: Callable[..., torch.Tensor]) -> float:
        return float(play(inner, keys, keys, act).rewards.sum(dim=1).mean())

    low = mean(lambda seen, rows, t: 2 * torch.rand(len(seen), 1, 2, generator=noise, dtype=seen.dtype) - 1)
    high = mean(lambda seen, rows, t: inner.controlled(seen)[:, None])

    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> Mapping[str, float]:
        found = sum(float(episode.rewards.sum()) for episode in outputs) / len(outputs)
        return {"score": (found - low) / (high - low)}

    return measure


def probed(policy: Dreamer, world: Distracted) -> Callable[[Sequence[Problem], Sequence[Episode]], Mapping[str, float]]:
    """A measure: R² of the state and of the distraction, read linearly off latents of the policy's own episodes.

    The first half of the episodes is fitted, the other held out; z is drawn from the posterior, as in learning. `kl` is
    what a latent says beyond what was foreseen, nats.
    """

    @torch.no_grad()
    def measure(problems: Sequence[Problem], outputs: Sequence[Episode]) -> Mapping[str, float]:
        seen = torch.stack([episode.observations for episode in outputs])
        done = world.action.unit(torch.stack([episode.actions for episode in outputs]))
        noise = torch.randn(*seen.shape[:2], policy.model.stoch, generator=torch.Generator().manual_seed(0))
        latents = policy.model.observe(seen, done.to(seen), noise.to(seen))
        features, half = latents.features, len(outputs) // 2
        found = {}
        for name, targets in zip(("state", "distraction"), world.apart(seen), strict=True):
            parts = [part.flatten(0, 1) for x in (features, targets) for part in (x[:half], x[half:])]
            found[f"r2/{name}"] = linear_r2(parts[0], parts[2], parts[1], parts[3])
        return {name: value for name, value in found.items() if math.isfinite(value)}

    return measure
