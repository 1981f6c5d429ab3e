"""Points in the plane that should be further to the right: exact and trained denoisers, and mixtures of them.

A policy denoises with (1 - w)·base + w·tuned. `exact` models are closed forms: one Gaussian, a ring of eight, and
`rare`, a ring that has its best places where the base seldom goes. `trained` models are networks: a base, and tunes by
KL-regularised policy gradient, one for each β and seed. What the reward cannot see: the KL of the whole denoising path
to the base, and how far below the best reward at that KL a model stays (`regret`; that frontier is known).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlft.cache import cached
from rlft.measure.calls import calls_of
from rlft.models.denoiser import ResidualMLP, train_denoiser
from rlft.models.exact import ExactDenoiser
from rlft.models.schedules import Cosine, V
from rlft.policies.composed.mixed import mixed
from rlft.policies.mix import guided
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddpm
from rlft.tasks.mixture import Mixture
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem
from rlft.worlds import World

# Raised when the models would come out otherwise.
VERSION = 1
Data = Literal["gaussian", "ring", "rare"]
SCHEDULE = Cosine(last=0.05)
STD = 0.25


def tilted(
    tuner: Callable[[float], Method],
    models: Literal["exact", "trained"],
    data: Data,
    weight: float,
    beta: float,
    denoising_steps: int,
    imitation: int,
    tuning: int,
    seed: int,
) -> World:
    """Base and tuned model, mixed with this weight; `tuner(beta)` is the method that a trained one was tuned by."""
    ideal = closed_form(data)
    if models == "exact":
        base, tuned = (_policy(denoiser, denoising_steps) for denoiser in (ideal, ideal.tilted(slope(beta))))
    else:
        base = _policy(base_network(imitation), denoising_steps)
        tuned = _policy(tuned_network(tuner, beta, seed, imitation, tuning, denoising_steps), denoising_steps)
    policy = mixed(guided(base, tuned, weight), trained=[tuned] if weight else [base])
    networks = {f"network {place}": member for place, member in enumerate(policy.denoiser.members)}
    return World(
        policy,
        Plane(),
        Plane("test"),
        rightwards,
        measures=[calls_of(networks), in_places(ideal.tilted(slope(beta) * weight))],
        probes=[trade_off(base, data, seed)],
        samples=128,
    )


class Plane(Mixture):
    """Problems that ask for a point of no class; their noise is all that tells them apart."""

    def __init__(self, split: str = "train"):
        super().__init__(split, classes=0, std=STD)


def rightwards(problems: Sequence[Problem], points: Float[Tensor, "N 2"]) -> Float[Tensor, "N"]:
    """The first coordinate."""
    return points[:, 0].double()


def slope(beta: float) -> Float[Tensor, "2"]:
    """g/β of the reward g·x."""
    return torch.tensor([1.0, 0.0], dtype=torch.float64) / beta


def closed_form(data: Data) -> ExactDenoiser:
    """The best denoiser for what the base draws from."""
    means = Mixture(classes=0).means
    shares = torch.ones(len(means), dtype=torch.float64)
    if data == "rare":
        shares = torch.where(means[:, 0] > 0.1, 0.05, shares)
    if data == "gaussian":
        means, shares = torch.tensor([[0.5, -1.0]], dtype=torch.float64), shares[:1]
    return ExactDenoiser(means, torch.full_like(shares, STD), shares, schedule=SCHEDULE, prediction=V)


def _policy(denoiser: ExactDenoiser | ResidualMLP, steps: int) -> Diffusion:
    settings = {"schedule": SCHEDULE, "prediction": V, "event": "sum", "shape": (2,), "classes": 0}
    return Diffusion(denoiser, steps=steps, rule=ddpm(), **settings)


def base_network(imitation: int) -> ResidualMLP:
    """The cached network after `imitation` steps of denoising regression on the ring."""

    def build() -> ResidualMLP:
        points, _ = Plane().data(20000)
        none = torch.zeros(len(points), dtype=torch.long)
        told = {"schedule": SCHEDULE, "prediction": V, "null": 0}
        network = _blank()
        train_denoiser(network, points, none, iterations=imitation, **told)
        return network

    return _cached(f"rlg-{VERSION}-{imitation}.safetensors", build)


def tuned_network(
    tuner: Callable[[float], Method], beta: float, seed: int, imitation: int, tuning: int, denoising_steps: int
) -> ResidualMLP:
    """The base after `tuning` steps of KL-regularised policy gradient, cached for each β and seed.

    The learning rate falls to 0 along a line, so that what is left is the optimum and not the last step's noise.
    """

    def build() -> ResidualMLP:
        network = copy.deepcopy(base_network(imitation))
        trainer = Trainer(
            _policy(network, denoising_steps),
            tuner(beta),
            Plane(),
            rightwards,
            prompts=4,
            group=64,
            lr=1e-3,
            schedule=lambda step: 1 - step / tuning,
            seed=seed,
        )
        for _ in trainer.run(tuning):
            pass
        return network

    return _cached(f"rlg-{VERSION}-{imitation}-{beta:g}-{tuning}-{denoising_steps}-{seed}.safetensors", build)


def _blank() -> ResidualMLP:
    return ResidualMLP((2,), classes=0, width=64, blocks=2)


def _cached(name: str, build: Callable[[], ResidualMLP]) -> ResidualMLP:
    def load(path: Path) -> ResidualMLP:
        network = _blank()
        network.load_state_dict(load_file(path))
        return network

    return cached(name, build, lambda network, path: save_file(network.state_dict(), path), load)


def in_places(optimum: ExactDenoiser) -> Callable[[Sequence[Problem], Tensor], dict[str, float]]:
    """`off`: total variation between how often points fall to each component and how often the optimum at β/w does."""
    means, shares = optimum.means.detach(), optimum.shares().detach()

    def measure(problems: Sequence[Problem], points: Float[Tensor, "N 2"]) -> dict[str, float]:
        place = torch.cdist(points.double(), means).argmin(1)
        found = torch.bincount(place, minlength=len(means)) / len(points)
        return {"off": float((found - shares).abs().sum() / 2)}

    return measure


def trade_off(base: Diffusion, data: Data, seed: int) -> Callable[[Diffusion], dict[str, float]]:
    """`kl` of the denoising path to the base, in nats, and `regret`: the best reward at that KL, less the reward."""
    asked = [Plane("test").at(index) for index in range(16, 32)]
    kls, best = frontier(data)

    @torch.no_grad()
    def probe(policy: Diffusion) -> dict[str, float]:
        drawn = policy.sample(asked, 128, seed)
        kl = float(policy.kl(drawn, base).sum(1).mean())
        return {"kl": kl, "regret": float(np.interp(kl, kls, best)) - float(rightwards(asked, drawn.outputs).mean())}

    return probe


@cache
@torch.no_grad()
def frontier(data: Data) -> tuple[Sequence[float], Sequence[float]]:
    """KL and reward of the optima p·exp(λ·x1)/Z for λ from 0 to 12: KL = λ·E[x1] - log Z."""
    ideal, kls, best = closed_form(data), [], []
    for strength in torch.linspace(0, 12, 1201, dtype=torch.float64):
        tilt = slope(1.0) * strength
        tilted = ideal.tilted(tilt)
        log_z = (ideal.log_weights + ideal.means @ tilt + STD**2 * strength**2 / 2).logsumexp(0)
        best.append(float(tilted.shares() @ tilted.means[:, 0]))
        kls.append(float(strength * best[-1] - log_z))
    return kls, best
