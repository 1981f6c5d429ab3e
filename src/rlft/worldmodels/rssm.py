"""A recurrent state-space model: what is remembered, what could not be foreseen, and what is earned. No actor.

    h_t = GRU(h_{t-1}; z_{t-1}, a_{t-1})          p(z_t | h_t)          q(z_t | h_t, o_t)          (arXiv:1811.04551)

B rows, T observations, O, A, D, S numbers of an observation, an action, of h and of z; F = D + S those of a latent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from rlft.losses.divergence import balanced_kl
from rlft.models.mlp import MLP
from rlft.offpolicy.buffer import Batch
from rlft.products import linear

# The least deviation of z, as in Dreamer.
LEAST = 0.1


class Gaussian(NamedTuple):
    """Independent numbers."""

    mean: Float[Tensor, "*N S"]
    std: Float[Tensor, "*N S"]

    @staticmethod
    def of(outputs: Float[Tensor, "*N G"]) -> Gaussian:
        """Mean, and deviation as softplus + 0.1, from 2S outputs of a network."""
        mean, raw = outputs.chunk(2, dim=-1)
        return Gaussian(mean, functional.softplus(raw) + LEAST)

    def draw(self, noise: Float[Tensor, "*N S"]) -> Float[Tensor, "*N S"]:
        """mean + std · noise."""
        return self.mean + self.std * noise


class Latents(NamedTuple):
    """h and z in every place, and where z came from: q having seen, p having not."""

    h: Float[Tensor, "*N D"]
    z: Float[Tensor, "*N S"]
    posterior: Gaussian
    prior: Gaussian

    @property
    def features(self) -> Float[Tensor, "*N F"]:
        """What heads read: h and z."""
        return torch.cat([self.h, self.z], dim=-1)


class Cell(nn.Module):
    """A GRU cell (arXiv:1406.1078) that computes in the dtype of its input, as `MLP` does; its weights have a seed."""

    def __init__(self, inputs: int, size: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        draw = [(2 * torch.rand(3 * size, n, generator=generator) - 1) / size**0.5 for n in (inputs, size)]
        self.inward, self.onward = nn.Parameter(draw[0]), nn.Parameter(draw[1])
        self.bias, self.bias_onward = nn.Parameter(torch.zeros(3 * size)), nn.Parameter(torch.zeros(3 * size))

    def forward(self, x: Float[Tensor, "N I"], h: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
        given = linear(x, self.inward.to(x.dtype), self.bias.to(x.dtype)).chunk(3, dim=-1)
        kept = linear(h, self.onward.to(x.dtype), self.bias_onward.to(x.dtype)).chunk(3, dim=-1)
        update, reset = torch.sigmoid(given[0] + kept[0]), torch.sigmoid(given[1] + kept[1])
        new = torch.tanh(given[2] + reset * kept[2])
        return new + update * (h - new)


class RSSM(nn.Module):
    """The model: an encoder, the recurrent part, and heads for the reward, for whether it goes on, and for pictures.

    scale   that observations are divided by: 255 of pixels
    """

    def __init__(
        self,
        observation: int,
        action: int,
        *,
        deter: int = 64,
        stoch: int = 8,
        width: int = 64,
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.deter, self.stoch, self.scale = deter, stoch, scale
        features = deter + stoch
        elu: dict[str, Any] = {"activation": functional.elu}
        self.encoder = MLP([observation, width, width], seed, **elu)
        self.inward = MLP([stoch + action, width], seed + 1)
        self.cell = Cell(width, deter, seed + 2)
        self.prior = MLP([deter, width, 2 * stoch], seed + 3, **elu)
        self.posterior = MLP([deter + width, width, 2 * stoch], seed + 4, **elu)
        self.reward = MLP([features, width, 1], seed + 5, last=0.1, **elu)
        self.going = MLP([features, width, 1], seed + 6, last=0.1, **elu)
        nn.init.constant_(self.going.biases[-1], 3.0)  # worlds mostly go on
        self.decoder = MLP([features, width, observation], seed + 7, **elu)

    def onward(
        self, h: Float[Tensor, "N D"], z: Float[Tensor, "N S"], action: Float[Tensor, "N A"]
    ) -> Float[Tensor, "N D"]:
        """h after an action."""
        return self.cell(functional.elu(self.inward(torch.cat([z, action], dim=-1))), h)

    def embed(self, observation: Float[Tensor, "*N O"]) -> Float[Tensor, "*N W"]:
        """What the posterior is told of an observation."""
        return functional.elu(self.encoder(observation / self.scale))

    def believed(self, h: Float[Tensor, "N D"], embedded: Float[Tensor, "N W"]) -> Gaussian:
        """q(z | h, o)."""
        return Gaussian.of(self.posterior(torch.cat([h, embedded], dim=-1)))

    def foreseen(self, h: Float[Tensor, "*N D"]) -> Gaussian:
        """p(z | h)."""
        return Gaussian.of(self.prior(h))

    def observe(
        self, observation: Float[Tensor, "B T O"], action: Float[Tensor, "B U A"], noise: Float[Tensor, "B T S"]
    ) -> Latents:
        """Latents of sequences from their beginnings: action t leads from observation t to t + 1 (U ≥ T - 1)."""
        embedded = self.embed(observation)
        h, z = embedded.new_zeros(len(embedded), self.deter), embedded.new_zeros(len(embedded), self.stoch)
        before = torch.zeros_like(action[:, :1]).expand(-1, 1, -1)
        hs, zs, means, stds = [], [], [], []
        for t, done in enumerate(torch.cat([before, action], dim=1)[:, : observation.shape[1]].unbind(dim=1)):
            h = self.onward(h, z, done)
            q = self.believed(h, embedded[:, t])
            z = q.draw(noise[:, t])
            for kept, value in zip((hs, zs, means, stds), (h, z, *q), strict=True):
                kept.append(value)
        h = torch.stack(hs, dim=1)
        q = Gaussian(torch.stack(means, dim=1), torch.stack(stds, dim=1))
        return Latents(h, torch.stack(zs, dim=1), q, self.foreseen(h))

    def step(
        self,
        h: Float[Tensor, "N D"],
        z: Float[Tensor, "N S"],
        action: Float[Tensor, "N A"],
        noise: Float[Tensor, "N S"],
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N S"]]:
        """The latent after an action, nothing being seen: z is drawn from p."""
        h = self.onward(h, z, action)
        return h, self.foreseen(h).draw(noise)


class Terms(NamedTuple):
    """What a model is fitted by, each averaged over the places of a batch that there are.

    reward    1/2 (r - r̂)², from the latent that the action led to: -log p(r) up to a constant
    going     -log p(whether the world went on)
    kl        the balanced KL(q || p), nats
    """

    reward: Float[Tensor, ""]
    going: Float[Tensor, ""]
    kl: Float[Tensor, ""]


def sequences(batch: Batch) -> tuple[Float[Tensor, "B T O"], Bool[Tensor, "B T"]]:
    """All observations of whole windows, from the first to the one after the last step; and which there are."""
    seen = torch.cat([batch.observation[:, None], batch.path], dim=1)
    return seen, torch.cat([torch.ones_like(batch.valid[:, :1]), batch.valid], dim=1)


def terms(model: RSSM, batch: Batch, latents: Latents, share: float) -> Terms:
    """The terms of a batch of whole windows with these latents; `share` of the KL's gradient moves the prior."""
    on, there, after = batch.valid, sequences(batch)[1], latents.features[:, 1:]
    error = 0.5 * (model.reward(after)[..., 0] - batch.reward).square()
    last = on & ~torch.cat([on[:, 1:], torch.zeros_like(on[:, :1])], dim=1)
    goes_on = (~(last & batch.terminated[:, None])).to(error)
    going = functional.binary_cross_entropy_with_logits(model.going(after)[..., 0], goes_on, reduction="none")
    kl = balanced_kl(*latents.posterior, *latents.prior, share)
    return Terms(averaged(error, on), averaged(going, on), averaged(kl, there))


def picture(model: RSSM, batch: Batch, features: Float[Tensor, "B T F"]) -> Float[Tensor, ""]:
    """1/2 Σ_O (o - ô)², averaged: of latents as they are reconstruction, of latents without gradient a probe."""
    seen, there = sequences(batch)
    return averaged(0.5 * (model.decoder(features) - seen / model.scale).square().sum(dim=-1), there)


def averaged(values: Float[Tensor, "B T"], there: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """The mean over the places that there are."""
    return torch.where(there, values, 0).sum() / there.sum()
