"""The best denoiser there is for a mixture of Gaussians, in closed form, and what a linear reward makes of the mixture.

For measuring what a sampler or a method does when the network is not to blame. Nothing here is trained beforehand,
though the means and weights are parameters and can be.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.models.schedules import Prediction, Schedule


class ExactDenoiser(nn.Module):
    """What `prediction` should be for data Σ_j w_j·N(μ_j, s_j²·I), whatever the class.

    With x = α·x0 + σ·x1 the posterior of x0 is Σ_j r_j(x)·N(μ_j + g_j·(x - α·μ_j), ·), g_j = α·s_j²/(α²·s_j² + σ²), and
    x̂0 is its mean. At σ = 0 nothing is left to predict: ask for t > 0 only.
    """

    def __init__(
        self,
        means: Float[Tensor, "J E"],
        stds: Float[Tensor, "J"],
        weights: Float[Tensor, "J"],
        *,
        schedule: Schedule,
        prediction: Prediction,
    ):
        super().__init__()
        self.means = nn.Parameter(means.clone())
        self.log_weights = nn.Parameter(weights.log().log_softmax(0))
        self.register_buffer("stds", stds.to(means).clone())
        self.schedule, self.prediction = schedule, prediction

    def forward(self, x: Float[Tensor, "N E"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]) -> Float[Tensor, "N E"]:
        alpha, sigma = (weight[:, None] for weight in self.schedule.weights(t))
        stds = self.get_buffer("stds").to(x)
        variance = alpha**2 * stds**2 + sigma**2
        away = x[:, None] - alpha[..., None] * self.means
        share = (self._log_masses(away, variance)).softmax(-1)
        guess = self.means + (alpha * stds**2 / variance)[..., None] * away
        x0 = (share[..., None] * guess).sum(1)
        return self.prediction.target(x0, (x - alpha * x0) / sigma, alpha, sigma)

    def log_density(self, x: Float[Tensor, "N E"]) -> Float[Tensor, "N"]:
        """log p of the data."""
        variance = self.get_buffer("stds").to(x).square().expand(len(x), -1)
        return self._log_masses(x[:, None] - self.means, variance).logsumexp(-1)

    def shares(self) -> Float[Tensor, "J"]:
        """The components' weights."""
        return self.log_weights.softmax(0)

    @torch.no_grad()
    def tilted(self, slope: Float[Tensor, "E"]) -> ExactDenoiser:
        """The denoiser of p(x)·exp(slope·x)/Z: for the reward r = g·x and slope g/β, the optimum at KL coefficient β.

        A component stays one, μ_j + s_j²·slope, and its weight is multiplied by exp(slope·μ_j + s_j²·|slope|²/2).
        """
        stds = self.get_buffer("stds")
        masses = self.log_weights + self.means @ slope + stds**2 * slope.square().sum() / 2
        moved = self.means + stds[:, None] ** 2 * slope
        return ExactDenoiser(moved, stds, masses.softmax(0), schedule=self.schedule, prediction=self.prediction)

    def _log_masses(self, away: Float[Tensor, "N J E"], variance: Float[Tensor, "N J"]) -> Float[Tensor, "N J"]:
        size = away.shape[-1]
        log_norm = size / 2 * (2 * math.pi * variance).log()
        return self.log_weights.log_softmax(0) - away.square().sum(-1) / (2 * variance) - log_norm
