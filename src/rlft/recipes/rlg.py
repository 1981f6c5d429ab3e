"""Guidance by a model that reinforcement learning has tuned. After "Inference-Time Alignment Control for Diffusion
Models with Reinforcement Learning Guidance", 2025, arXiv:2508.21016.

A policy denoises with (1 - w)·base + w·tuned. The paper's theory is that this samples the optimum at KL coefficient β/w
if the tuned model is the one at β. Points in the plane, and the reward is how far to the right they are. `exact` models
are closed forms, so what differs from the optimum is the theory's: for one Gaussian nothing should, for a ring of eight
it is measured, and `rare` has its best places where the base seldom goes. `trained` models are networks: a base, and
tunes by KL-regularised policy gradient, one for each β and seed, so that guiding by w can be held against training at
β/w. What the reward cannot see: the KL of the whole denoising path to the base, and how far below the best reward at
that KL a model stays (`regret`; that frontier is known). Nothing is trained by the run itself unless it is asked to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlft.cache import cached
from rlft.evidence.claim import Arm, Claim, Statement
from rlft.measure.calls import calls_of
from rlft.methods.kl_control import kl_control
from rlft.models.denoiser import ResidualMLP, train_denoiser
from rlft.models.exact import ExactDenoiser
from rlft.models.schedules import Cosine, V
from rlft.policies.composed.mixed import mixed
from rlft.policies.mix import guided
from rlft.policies.stepwise.diffusion import Diffusion
from rlft.policies.stepwise.noise_rules import ddpm
from rlft.runs.drive import Run
from rlft.tasks.mixture import Mixture
from rlft.training.trainer import Trainer
from rlft.types import Method, Problem, Runtime

# Raised when the models would come out otherwise.
VERSION = 1
Data = Literal["gaussian", "ring", "rare"]
SCHEDULE = Cosine(last=0.05)
STD = 0.25


def rlg(
    method: Method = kl_control(2.0),
    models: Literal["exact", "trained"] = "trained",
    data: Data = "ring",
    weight: float = 1.0,
    beta: float = 2.0,
    steps: int = 0,
    prompts: int = 4,
    group: int = 64,
    lr: float = 1e-3,
    rows: int | None = None,
    denoising_steps: int = 16,
    imitation: int = 1500,
    tuning: int = 60,
    problems: int = 16,
    seed: int = 0,
    runtime: Runtime | None = None,
) -> Run:
    """Points in the plane that should be further to the right.

    Args:
        models: closed forms, or networks (of the ring alone).
        data: what the base draws from: one Gaussian, a ring of eight, or a ring whose right half is rare.
        weight: w, from the base (0) over the tuned model (1) onwards.
        beta: KL coefficient that the tuned model was made with, in units of reward a nat.
        steps: further training of the tuned model through the mix; 0 evaluates it.
        prompts: problems in such a step, which differ in noise alone.
        group: points of each.
        lr: learning rate.
        rows: rows in one forward pass of an update.
        denoising_steps: decisions in a row.
        imitation: steps that the trained base has learned its data in.
        tuning: steps of policy gradient that a trained tune has had, of 4 times 64 points.
        problems: held-out problems, of 128 points each.
        seed: of the sampling, and of the training of the tuned model.
    """
    ideal = closed_form(data)
    if models == "exact":
        base, tuned = (_policy(denoiser, denoising_steps) for denoiser in (ideal, ideal.tilted(slope(beta))))
    else:
        base = _policy(base_network(imitation), denoising_steps)
        tuned = _policy(tuned_network(beta, seed, imitation, tuning, denoising_steps), denoising_steps)
    policy = mixed(guided(base, tuned, weight), trained=[tuned] if weight else [base])
    trainer = Trainer(
        policy, method, Plane(), rightwards, prompts=prompts, group=group, rows=rows, lr=lr, seed=seed, runtime=runtime
    )
    optimum = ideal.tilted(slope(beta) * weight)
    networks = {f"network {place}": member for place, member in enumerate(policy.denoiser.members)}
    return Run(
        trainer,
        steps,
        Plane("test"),
        problems=problems,
        samples=128,
        measures=[calls_of(networks), in_places(optimum)],
        probes=[trade_off(base, ideal, seed)],
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


def tuned_network(beta: float, seed: int, imitation: int, tuning: int, denoising_steps: int) -> ResidualMLP:
    """The base after `tuning` steps of KL-regularised policy gradient, cached for each β and seed.

    The learning rate falls to 0 along a line, so that what is left is the optimum and not the last step's noise.
    """

    def build() -> ResidualMLP:
        network = copy.deepcopy(base_network(imitation))
        trainer = Trainer(
            _policy(network, denoising_steps),
            kl_control(beta),
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
    from safetensors.torch import load_file, save_file

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


def trade_off(base: Diffusion, ideal: ExactDenoiser, seed: int) -> Callable[[Diffusion], dict[str, float]]:
    """`kl` of the denoising path to the base, in nats, and `regret`: the best reward at that KL, less the reward."""
    asked = [Plane("test").at(index) for index in range(16, 32)]
    kls, best = frontier(ideal)

    @torch.no_grad()
    def probe(policy: Diffusion) -> dict[str, float]:
        drawn = policy.sample(asked, 128, seed)
        kl = float(policy.kl(drawn, base).sum(1).mean())
        return {"kl": kl, "regret": float(np.interp(kl, kls, best)) - float(rightwards(asked, drawn.outputs).mean())}

    return probe


@torch.no_grad()
def frontier(ideal: ExactDenoiser) -> tuple[Sequence[float], Sequence[float]]:
    """KL and reward of the optima p·exp(λ·x1)/Z for λ from 0 to 12: KL = λ·E[x1] - log Z."""
    kls, best = [], []
    for strength in torch.linspace(0, 12, 1201, dtype=torch.float64):
        tilt = slope(1.0) * strength
        tilted = ideal.tilted(tilt)
        log_z = (ideal.log_weights + ideal.means @ tilt + STD**2 * strength**2 / 2).logsumexp(0)
        best.append(float(tilted.shares() @ tilted.means[:, 0]))
        kls.append(float(strength * best[-1] - log_z))
    return kls, best


def _exact(data: Data, beta: float, weight: float) -> dict[str, object]:
    return {"models": "exact", "data": data, "beta": beta, "weight": weight}


CLAIM = Claim(
    sentence=(
        "Mixing the base's and the tuned model's predictions with a weight w turns the strength of alignment up and "
        "down after training, and w stands for training at KL coefficient β/w."
    ),
    source="RLG, 2025, arXiv:2508.21016",
    arms={
        "base": Arm("w = 0", {"weight": 0.0}),
        "half": Arm("w = 0.5", {"weight": 0.5}),
        "tuned": Arm("w = 1: tuned at β = 2", {"weight": 1.0}),
        "guided": Arm("w = 2", {"weight": 2.0}),
        "guided_3": Arm("w = 3", {"weight": 3.0}),
        "trained": Arm("tuned at β = 1 instead of w = 2", {"beta": 1.0}),
        "trained_3": Arm("tuned at β = 2/3 instead of w = 3", {"beta": 2 / 3}),
        "gaussian_guided": Arm("one Gaussian, closed forms, w = 2", _exact("gaussian", 0.2, 2.0)),
        "gaussian_optimum": Arm("its optimum at β/2", _exact("gaussian", 0.1, 1.0)),
        "ring_guided": Arm("the ring, closed forms, w = 2", _exact("ring", 2.0, 2.0)),
        "ring_optimum": Arm("its optimum at β/2", _exact("ring", 1.0, 1.0)),
        "ring_guided_4": Arm("the ring, closed forms, w = 4", _exact("ring", 2.0, 4.0)),
        "ring_optimum_4": Arm("its optimum at β/4", _exact("ring", 0.5, 1.0)),
        "rare_guided": Arm("a ring whose right half is rare, closed forms, w = 2", _exact("rare", 1.0, 2.0)),
        "rare_optimum": Arm("its optimum at β/2", _exact("rare", 0.5, 1.0)),
    },
    metric="reward",
    table=("kl", "regret", "off", "calls/network 0", "calls/network 1"),
    statements=(
        Statement("above 1 it earns more than the tuned model", "reward", "guided", over="tuned", least=0.1),
        Statement("at w = 3 still more", "reward", "guided_3", over="guided", least=0.05),
        Statement("below 1 it earns less than the tuned model", "reward", "tuned", over="half", least=0.1),
        Statement("and more than the base", "reward", "half", over="base", least=0.1),
        Statement(
            "one Gaussian: w = 2 is the optimum at β/2",
            "reward",
            "gaussian_guided",
            over="gaussian_optimum",
            least=-1e-3,
            most=1e-3,
        ),
        Statement("w = 2 earns what training at β/2 does", "reward", "guided", over="trained", least=-0.1, most=0.1),
        Statement("at the same KL", "kl", "guided", over="trained", least=-0.1, most=0.1),
        Statement(
            "its trade-off of reward and KL is as good", "regret", "guided", over="trained", most=0.05, claimed=False
        ),
        Statement("also at w = 3", "regret", "guided_3", over="trained_3", most=0.05, claimed=False),
        Statement(
            "the ring: even closed forms miss the optimum at β/2, upwards",
            "reward",
            "ring_guided",
            over="ring_optimum",
            least=0.05,
            claimed=False,
        ),
        Statement(
            "further from it at w = 4",
            "reward",
            "ring_guided_4",
            over="ring_optimum_4",
            least=0.1,
            claimed=False,
        ),
        Statement(
            "where the best is rare they miss it downwards",
            "reward",
            "rare_guided",
            over="rare_optimum",
            most=-0.05,
            claimed=False,
        ),
        Statement("the price: two networks are asked", "calls/network 1", "guided", least=15, most=17, claimed=False),
    ),
    budget=(
        "Nothing is trained by an arm itself. The tunes have had the same number of policy gradient steps on as many "
        "points; guiding asks two networks where a tune of its own asks one."
    ),
    shared=(),
    scaled_down=(
        "Points in the plane and networks of 30 000 weights instead of Stable Diffusion 3.5; the distance along an "
        "axis instead of models of preference; policy gradient with a KL penalty instead of Flow-GRPO."
    ),
    real=(
        "mixed(guided(base, tuned, 1.6), alone=Early(0.9)) of two Diffusion policies around a large denoiser; the "
        "authors' code advises weights from 1 to 3."
    ),
    smoke={"imitation": 2, "tuning": 1, "problems": 1},
)
