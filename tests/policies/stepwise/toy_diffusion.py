"""A small diffusion policy of random weights for tests."""

import torch

from rlft.models.denoiser import NoiseHead, ResidualMLP
from rlft.models.schedules import EPS, Cosine
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddpm, flow_noise
from rlft.types import Problem


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
