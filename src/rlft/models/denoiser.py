"""Small denoisers for digits and points, their critic and noise head, and how they are trained before any RL.

Not a sampler: `policies.stepwise` turns a denoiser into a policy. There any module serves that maps states x [N, *S],
times t [N] in [0, 1] (1 = noise) and class labels [N] (C means no class) to [N, *S]; these take seconds on a CPU.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.cache import cached
from rlft.models.rates import rate_at
from rlft.models.schedules import Prediction, Schedule
from rlft.types import UserError

# Raised whenever a change below would build other weights from the same arguments.
VERSION = 1


class _Features(nn.Module):
    """Time and class as one vector: 64 sines and cosines of t through an MLP, plus an embedding of the class."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width)

    def forward(self, t: Tensor, label: Tensor) -> Tensor:
        rates = torch.linspace(0, math.log(1000), 32, dtype=t.dtype, device=t.device).exp()
        angle = t[:, None] * rates
        return self.time(torch.cat([angle.sin(), angle.cos()], dim=1)) + self.label(label)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, h: Tensor, features: Tensor) -> Tensor:
        return h + self.net(h + features)


class ResidualMLP(nn.Module):
    """A residual MLP over the flattened state: about 0.5 M parameters at width 256 with 3 blocks on 64 pixels.

    `classes` may be 0 (unconditional); label `classes` is the null class of classifier-free guidance. Weights come
    from `seed`, not from the global generator.
    """

    def __init__(self, shape: Sequence[int], classes: int, width: int = 256, blocks: int = 3, seed: int = 0):
        super().__init__()
        size = math.prod(shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = _Features(classes, width)
            self.enter = nn.Linear(size, width)
            self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
            self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, size))

    def forward(
        self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]
    ) -> Float[Tensor, "N *S"]:
        features, h = self.features(t, label), self.enter(x.flatten(1))
        for block in self.blocks:
            h = block(h, features)
        return self.leave(h).view_as(x)


class NoiseHead(nn.Module):
    """The raw log-noise of each dimension for `noise_rules.flow_noise`: a two-layer MLP that starts at 0, the
    geometric middle of the bounds."""

    def __init__(self, shape: Sequence[int], classes: int, width: int = 64, seed: int = 0):
        super().__init__()
        self.body = _Body(math.prod(shape), classes, width, math.prod(shape), seed)

    def forward(
        self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]
    ) -> Float[Tensor, "N *S"]:
        return self.body(x.flatten(1), t, label).view_as(x)


class StateCritic(nn.Module):
    """The value of being in state x at time t with this class: a two-layer MLP that starts at 0."""

    def __init__(self, shape: Sequence[int], classes: int, width: int = 128, seed: int = 0):
        super().__init__()
        self.body = _Body(math.prod(shape), classes, width, 1, seed)

    def forward(self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
        return self.body(x.flatten(1), t, label)[:, 0]


class _Body(nn.Module):
    """State, time and class to `out` numbers, all 0 before training."""

    def __init__(self, size: int, classes: int, width: int, out: int, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = _Features(classes, width)
            self.enter = nn.Linear(size, width)
            self.hidden = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
            self.leave = nn.Linear(width, out)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return self.leave(self.hidden(self.enter(x) + self.features(t, label)))


def train_denoiser(
    denoiser: nn.Module,
    data: Float[Tensor, "M *S"],
    labels: Int[Tensor, "M"],
    *,
    schedule: Schedule,
    prediction: Prediction,
    null: int,
    iterations: int,
    batch: int = 256,
    lr: float = 2e-3,
    null_rate: float = 0.1,
    ema: float = 0.99,
    seed: int = 0,
) -> None:
    """Denoising regression in place: min E |denoiser(α·x0 + σ·x1, t, class) - target|², t uniform on (0, 1).

    A share `null_rate` of the labels becomes the `null` class of classifier-free guidance (Ho and Salimans 2022,
    arXiv:2207.12598). Adam; the learning rate goes from `lr` to 0 along a cosine, after a short warm-up. The weights
    left behind are an exponential average with decay `ema`.
    """
    draws, parameters = torch.Generator().manual_seed(seed), list(denoiser.parameters())
    optimiser, average = torch.optim.Adam(parameters, lr=lr), [p.detach().clone() for p in parameters]
    for i in range(iterations):
        rows = torch.randint(len(data), (batch,), generator=draws)
        x0, label = data[rows], labels[rows]
        x1 = torch.randn(x0.shape, generator=draws, dtype=x0.dtype)
        t = torch.rand(batch, generator=draws, dtype=x0.dtype)
        label = torch.where(torch.rand(batch, generator=draws) < null_rate, null, label)
        alpha, sigma = (w.view(-1, *[1] * (x0.dim() - 1)) for w in schedule.weights(t))
        error = denoiser(alpha * x0 + sigma * x1, t, label) - prediction.target(x0, x1, alpha, sigma)
        optimiser.zero_grad()
        error.square().mean().backward()
        optimiser.param_groups[0]["lr"] = rate_at(lr, i, iterations)
        optimiser.step()
        # Early on the average follows quickly, so that the first weights are forgotten.
        for slow, fast in zip(average, parameters, strict=True):
            slow.lerp_(fast.detach(), 1 - min(ema, (i + 1) / (i + 10)))
    for slow, fast in zip(average, parameters, strict=True):
        fast.data.copy_(slow)


def digits_base(
    images: Float[Tensor, "M *S"],
    labels: Int[Tensor, "M"],
    *,
    schedule: Schedule,
    prediction: Prediction,
    iterations: int = 1500,
    seed: int = 0,
) -> ResidualMLP:
    """A class-conditional denoiser of ten digits, trained once and then read from the cache."""
    if int(labels.max()) > 9:
        raise UserError(f"digits have the labels 0 to 9, and one here is {int(labels.max())}")
    empty = ResidualMLP(images.shape[1:], classes=10, width=256, blocks=3, seed=seed)
    return _trained("digits", empty, images, labels, schedule, prediction, 10, iterations, seed)


def mixture_base(
    points: Float[Tensor, "M 2"],
    labels: Int[Tensor, "M"],
    *,
    schedule: Schedule,
    prediction: Prediction,
    iterations: int = 2000,
    seed: int = 0,
) -> ResidualMLP:
    """A class-conditional denoiser of points in the plane, trained once and then read from the cache."""
    classes = int(labels.max()) + 1
    empty = ResidualMLP(points.shape[1:], classes=classes, width=96, blocks=2, seed=seed)
    return _trained("mixture", empty, points, labels, schedule, prediction, classes, iterations, seed)


def _trained(
    kind: str,
    denoiser: ResidualMLP,
    data: Tensor,
    labels: Tensor,
    schedule: Schedule,
    prediction: Prediction,
    null: int,
    iterations: int,
    seed: int,
) -> ResidualMLP:
    """The denoiser with trained weights, from the cache if it has been trained on the same data the same way."""
    from safetensors.torch import load_file, save_file

    def build() -> ResidualMLP:
        train_denoiser(
            denoiser,
            data,
            labels,
            schedule=schedule,
            prediction=prediction,
            null=null,
            iterations=iterations,
            seed=seed,
        )
        return denoiser

    def save(model: ResidualMLP, path: Path) -> None:
        save_file(model.state_dict(), path)

    def load(path: Path) -> ResidualMLP:
        denoiser.load_state_dict(load_file(path))
        return denoiser

    return cached(
        f"{kind}-{prediction.name}-{_digest(data, labels, schedule, iterations, seed)}.safetensors", build, save, load
    )


def _digest(data: Tensor, labels: Tensor, *settings: object) -> str:
    words = hashlib.blake2b(repr((VERSION, *settings)).encode(), digest_size=8)
    for tensor in (data, labels):
        words.update(tensor.contiguous().cpu().numpy().tobytes())
    return words.hexdigest()
