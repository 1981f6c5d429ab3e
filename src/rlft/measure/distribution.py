"""Distances between distributions: Fréchet between samples' Gaussians, total variation on a grid. Not a reward."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import UserError


def frechet_of_gaussians(
    mean: Float[Tensor, "F"], cov: Float[Tensor, "F F"], other_mean: Float[Tensor, "F"], other_cov: Float[Tensor, "F F"]
) -> float:
    """|μ - μ'|² + tr(C + C' - 2·(C^½·C'·C^½)^½), the squared 2-Wasserstein distance (Dowson and Landau 1982).

    By eigenvalues in float64, so that a singular covariance is no trouble. The FID of Heusel et al. 2017
    (arXiv:1706.08500) is this on a network's features.
    """
    mean, cov, other_mean, other_cov = (t.detach().double() for t in (mean, cov, other_mean, other_cov))
    values, vectors = torch.linalg.eigh(cov)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ other_cov @ root).clamp(min=0).sqrt().sum()
    squared = (mean - other_mean).square().sum() + cov.trace() + other_cov.trace() - 2 * cross
    return max(float(squared), 0.0)


def frechet_distance(features: Float[Tensor, "M F"], others: Float[Tensor, "L F"]) -> float:
    """`frechet_of_gaussians` with the samples' means and (unbiased) covariances.

    Biased upwards in small samples: compare distances of equally many rows only, and with that of two real samples.
    """
    if min(len(features), len(others)) < 2:
        raise UserError(f"a covariance needs two samples or more, and here are {len(features)} and {len(others)}")
    moments = [(f.mean(dim=0), f.T.cov().view(f.shape[1], -1)) for f in (features.double(), others.double())]
    return frechet_of_gaussians(*moments[0], *moments[1])


def grid(low: float, high: float, cells: int) -> Float[Tensor, "C2 2"]:
    """The centres of cells·cells squares that cover [low, high]², row by row (the second coordinate runs fastest)."""
    side = (high - low) / cells
    centres = low + side * (torch.arange(cells, dtype=torch.float64) + 0.5)
    return torch.cartesian_prod(centres, centres)


def histogram(points: Float[Tensor, "N 2"], low: float, high: float, cells: int) -> Float[Tensor, "C2"]:
    """The share of points in each cell of `grid`; points outside are in none, and the shares add up to less than 1."""
    place = ((points.double() - low) / (high - low) * cells).floor().long()
    inside = ((place >= 0) & (place < cells)).all(dim=1)
    flat = (place[:, 0] * cells + place[:, 1])[inside]
    return torch.bincount(flat, minlength=cells * cells).double() / len(points)


def normalised(log_weights: Float[Tensor, "C2"]) -> Float[Tensor, "C2"]:
    """Probabilities of the cells from unnormalised log-densities at their centres."""
    return log_weights.double().softmax(dim=0)


def total_variation(p: Float[Tensor, "C2"], q: Float[Tensor, "C2"]) -> float:
    """½·(Σ|p - q| + |lost p - lost q|), in [0, 1]; what a distribution has outside the cells counts as one more cell.

    Between a histogram and a density it is biased upwards by sampling: about ½·Σ√(2·q/(π·N)) for N points of q itself.
    """
    outside = (1 - p.sum()) - (1 - q.sum())
    return float(((p - q).abs().sum() + outside.abs()) / 2)
