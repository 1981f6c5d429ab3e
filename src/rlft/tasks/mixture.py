"""Points in the plane from a mixture of Gaussians whose densities are known exactly. Not a denoiser.

Eight components on a circle; component j belongs to class j mod C, so a class is several separate blobs and an
optimum such as p(x)·exp(r(x)/β)/Z can be worked out on a grid and compared with what a method reaches.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.noise import hashed, normal, row_keys, uniform
from rlft.types import Problem, UserError


class Mixture:
    """Problems whose input is a class (None where `classes` is 0) and whose answer is a point drawn from it.

    components   Gaussians of equal weight, evenly spaced on a circle
    radius       of that circle
    std          of each component, in both directions
    """

    name = "mixture"
    size = None

    def __init__(
        self, split: str = "train", classes: int = 4, components: int = 8, radius: float = 2.0, std: float = 0.25
    ):
        if split not in ("train", "test"):
            raise UserError(f"the mixture has the splits 'train' and 'test', not {split!r}")
        if components < 1 or classes < 0 or (classes and components % classes):
            raise UserError(f"{components} components cannot be shared equally by {classes} classes")
        self.split, self.classes, self.std = split, classes, std
        angle = 2 * math.pi * torch.arange(components, dtype=torch.float64) / components
        self.means: Float[Tensor, "J 2"] = radius * torch.stack([angle.cos(), angle.sin()], dim=1)

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        label = hashed("mixture class", self.split, index) % self.classes if self.classes else None
        bare = Problem(index=index, input=label, task=self.name, split=self.split)
        return Problem(index=index, input=label, answer=self._draw([bare])[0], task=self.name, split=self.split)

    def data(self, count: int) -> tuple[Float[Tensor, "M 2"], Int[Tensor, "M"]]:
        """Points (float32) and classes of the first `count` problems, for training; the class is 0 if there is none."""
        labels = [hashed("mixture class", self.split, i) % max(self.classes, 1) for i in range(count)]
        asked = [
            Problem(index=i, input=label if self.classes else None, task=self.name, split=self.split)
            for i, label in enumerate(labels)
        ]
        return self._draw(asked), torch.tensor(labels)

    def _draw(self, problems: list[Problem]) -> Float[Tensor, "M 2"]:
        """One point for each problem, from noise that no policy uses."""
        keys = row_keys(problems, 1, hashed("mixture answer"))
        each = len(self.means) // max(self.classes, 1)
        component = (uniform(keys, 1)[:, 0] * each).long()
        first = torch.tensor([problem.input or 0 for problem in problems])
        mean = self.means[first + component * max(self.classes, 1)]
        return (mean + self.std * normal(keys, torch.tensor([1]), (2,))[:, 0]).float()

    def log_density(
        self, x: Float[Tensor, "*B 2"], label: int | None = None, alpha: float = 1.0, sigma: float = 0.0
    ) -> Float[Tensor, "*B"]:
        """log p(x | class), or of all classes for None; with α and σ of α·x0 + σ·x1 instead of x0."""
        energy, variance = self._energy(x, label, alpha, sigma)
        return energy.logsumexp(-1) - math.log(energy.shape[-1] * 2 * math.pi * variance)

    def score(
        self, x: Float[Tensor, "*B 2"], label: int | None = None, alpha: float = 1.0, sigma: float = 0.0
    ) -> Float[Tensor, "*B 2"]:
        """∇ log p, of x0 or of α·x0 + σ·x1. The best guess of the noise, E[x1 | x], is -σ·score."""
        energy, variance = self._energy(x, label, alpha, sigma)
        towards = alpha * self._of(label).to(x) - x[..., None, :]
        return (energy.softmax(-1)[..., None] * towards).sum(-2) / variance

    def _of(self, label: int | None) -> Tensor:
        if label is None or not self.classes:
            return self.means
        if not 0 <= label < self.classes:
            raise UserError(f"the mixture has the classes 0 to {self.classes - 1}, not {label}")
        return self.means[label :: self.classes]

    def _energy(self, x: Tensor, label: int | None, alpha: float, sigma: float) -> tuple[Tensor, float]:
        variance = (alpha * self.std) ** 2 + sigma**2
        away = x[..., None, :] - alpha * self._of(label).to(x)
        return -away.square().sum(-1) / (2 * variance), variance
