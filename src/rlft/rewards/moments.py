"""Rewards that make features as frequent as asked: r = lambda · phi, with lambda fitted. Khalifa et al. 2020,
arXiv:2012.11635. Not a penalty: the moments are met by the target pi0 exp(lambda · phi), which a method then fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import Problem, Reward, UserError

Features = Callable[[Sequence[Problem], Any], Tensor]
"""`(problems, outputs) -> [N K]`."""

_STEPS, _CLOSE = 200, 1e-9


def moments(features: Features, weights: Float[Tensor, "K"]) -> Reward:
    """r = lambda · phi, to be used with beta = 1."""

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        found = features(problems, outputs).double()
        return found @ weights.to(found)

    return reward


def fitted(
    features: Float[Tensor, "M K"], targets: Float[Tensor, "K"], log_weights: Float[Tensor, "M"] | None = None
) -> Float[Tensor, "K"]:
    """lambda with E_p[phi] = targets, p = pi0 exp(lambda · phi) / Z, by self-normalised importance sampling.

        E_p[phi] = sum_i w_i phi_i / sum_i w_i,    w_i = pi0/q(x_i) exp(lambda · phi_i)

    `features` are phi of M samples of q, and `log_weights` log pi0/q of each, by default 0: samples of pi0. With every
    x listed once and log pi0 as weights it is exact. Among all distributions with these moments p is the nearest to pi0
    in KL(p || pi0). lambda minimises log sum_i w_i - lambda · targets, which is convex: Newton's method, in float64.
    Of features that repeat one another the shortest lambda is given. UserError for moments that no reweighting of these
    samples has, or only one that drops some of them.
    """
    phi, wanted = features.double(), targets.double()
    spread = phi.amin(0) < phi.amax(0)
    inside = (phi.amin(0) < wanted) & (wanted < phi.amax(0))
    offset = phi.new_zeros(len(phi)) if log_weights is None else log_weights.double()
    lam = torch.zeros_like(wanted)
    for _ in range(_STEPS if bool((inside | ~spread).all()) else 0):
        share = (offset + phi @ lam).softmax(0)
        gap = share @ phi - wanted
        if gap.abs().max() <= _CLOSE:
            return lam
        centred = phi - share @ phi
        step = torch.linalg.pinv(centred.T * share @ centred, hermitian=True) @ gap
        lam = lam - _shortened(step, gap, lam, phi, wanted, offset) * step
    raise UserError(
        f"no finite weights give the moments {wanted.tolist()}: these samples range from "
        f"{phi.amin(0).tolist()} to {phi.amax(0).tolist()}, and the moments must lie inside; draw more, or ask for less"
    )


def _shortened(step: Tensor, gap: Tensor, lam: Tensor, phi: Tensor, wanted: Tensor, offset: Tensor) -> float:
    """The largest of 1, 1/2, 1/4 … with which the dual falls by a ten-thousandth of what its slope promises."""

    def dual(at: Tensor) -> Tensor:
        return (offset + phi @ at).logsumexp(0) - at @ wanted

    scale, here, slope = 1.0, dual(lam), gap @ step
    while scale > 1e-6 and dual(lam - scale * step) > here - 1e-4 * scale * slope:
        scale /= 2
    return scale
