"""What an update did to a matrix of weights: how much of it moved, which part, and whether its directions turned.

The measures of Zhu et al. 2025, "The Path Not Taken", arXiv:2511.08567, Sec. 3 and 4. W0 is before and W after.

    unchanged          |w - w0| <= eta max(|w|, |w0|), both in bfloat16; below 2^-8 that is equality of bits
    spectral drift     || sigma(W) - sigma(W0) ||_2 / || sigma(W0) ||_2  <=  ||W - W0||_F / ||W0||_F      (Mirsky)
    rotation           principal angles of the first k singular directions: cos theta_i = sigma_i(U0_k^T U_k), and of V
    principal weights  the largest `share` of |W0_k|, W0_k = U0_k S0_k V0_k^T
    low weights        the smallest `share` of |W0|
    overlap            of a mask with what changed: |mask and changed| / |changed|; by chance the mask's density
    Jaccard            of what two runs changed: |a and b| / |a or b|; by chance p q / (p + q - p q)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ETA = 1e-3


@dataclass(frozen=True)
class Directions:
    """Singular values of a matrix, all of them and the largest first, and the first k directions, in float64."""

    values: Float[Tensor, " r"]
    left: Float[Tensor, "m k"]
    right: Float[Tensor, "n k"]

    def reconstructed(self) -> Float[Tensor, "m n"]:
        """The matrix of rank k, W_k = U_k S_k V_k^T."""
        return self.left * self.values[: self.left.shape[1]] @ self.right.T


def unchanged(before: Float[Tensor, "*w"], after: Float[Tensor, "*w"], eta: float = ETA) -> Bool[Tensor, "*w"]:
    """Which entries are, in bfloat16, what they were."""
    old, new = (matrix.bfloat16().float() for matrix in (before, after))
    return (new - old).abs() <= eta * torch.maximum(old.abs(), new.abs())


def directions(matrix: Float[Tensor, "m n"], k: int) -> Directions:
    """By the eigenvalues of the smaller of W W^T and W^T W, which is fast and needs no copy of a tall matrix's side.

    In float64 singular values are right to 1e-8 of the largest; directions of smaller ones are not to be asked for.
    """
    wide = matrix.shape[0] < matrix.shape[1]
    tall = (matrix.T if wide else matrix).double()
    found, vectors = torch.linalg.eigh(tall.T @ tall)
    values = found.clamp(min=0).sqrt().flip(0)
    right = vectors.flip(1)[:, :k]
    left = tall @ right / values[:k].clamp(min=torch.finfo(torch.float64).tiny)
    return Directions(values, right, left) if wide else Directions(values, left, right)


def drift(before: Float[Tensor, " r"], after: Float[Tensor, " r"]) -> float:
    """Of singular values: the norm of their difference, over theirs before."""
    return float((after - before).norm() / before.norm())


def angles(before: Float[Tensor, "m k"], after: Float[Tensor, "m k"]) -> Float[Tensor, " k"]:
    """Principal angles between two subspaces, given by orthonormal columns, in degrees, the largest first.

    By the sine where an angle is small, since a cosine near 1 says nothing of it (Björck and Golub 1973).
    """
    cosines = torch.linalg.svdvals(before.T @ after).clamp(max=1).flip(0)
    sines = torch.linalg.svdvals(after - before @ (before.T @ after)).clamp(max=1)
    return torch.where(cosines**2 > 0.5, sines.asin(), cosines.acos()).rad2deg()


def largest(matrix: Float[Tensor, "m n"], share: float) -> Bool[Tensor, "m n"]:
    """The largest entries by |w|, `share` of them; of equal ones the first. Of W0_k they are the principal weights."""
    return _first(matrix.abs().flatten(), share, descending=True).view(matrix.shape)


def smallest(matrix: Float[Tensor, "m n"], share: float) -> Bool[Tensor, "m n"]:
    """The smallest entries by |w|, `share` of them; of equal ones the first. Of W0 they are the low weights."""
    return _first(matrix.abs().flatten(), share, descending=False).view(matrix.shape)


def _first(sizes: Float[Tensor, " w"], share: float, descending: bool) -> Bool[Tensor, " w"]:
    """By the size of the last one, which is found without sorting."""
    count, order = round(share * len(sizes)), -sizes if descending else sizes
    if not count:
        return torch.zeros(len(sizes), dtype=torch.bool)
    last = order.kthvalue(count).values
    mask = order < last
    mask[(order == last).nonzero().flatten()[: count - int(mask.sum())]] = True
    return mask


def overlap(mask: Bool[Tensor, "*w"], changed: Bool[Tensor, "*w"]) -> float:
    """The share of what changed that lies in the mask; NaN where nothing changed."""
    count = int(changed.sum())
    return int((mask & changed).sum()) / count if count else math.nan


def jaccard(one: Bool[Tensor, "*w"], other: Bool[Tensor, "*w"]) -> float:
    """Of two masks, |a and b| / |a or b|; NaN where both are empty."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else math.nan


def by_chance(p: float, q: float) -> float:
    """Jaccard of two masks of densities p and q that know nothing of each other; NaN for two empty ones."""
    return p * q / (p + q - p * q) if p or q else math.nan
