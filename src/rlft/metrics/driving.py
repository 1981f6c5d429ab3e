"""How well a car was driven: how far from another way, how close to something, how smoothly, and what it did in words.

Ways are sampled before the first step and after each: N rows, T steps of `seconds`, positions in m, headings in rad,
speeds in m/s.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

# The six bounds of the code that was released with Alpamayo-R1 (arXiv:2511.00088), in m/s², m/s³, rad/s, rad/s².
ACCEL, LATERAL = (-4.05, 2.40), 4.89
JERK, LONGITUDINAL_JERK = 8.37, 4.13
YAW_ACCEL, YAW_RATE = 1.93, 0.95

LONGITUDINAL = ("stop", "slow", "keep", "speed up")
SIDEWAYS = ("left", "straight", "right")


def ade(position: Float[Tensor, "N T 2"], other: Float[Tensor, "N T 2"]) -> Float[Tensor, "N"]:
    """Average displacement error: the mean distance between two ways at the same times, in m."""
    return (position - other).norm(dim=-1).mean(dim=1)


def clearance(position: Float[Tensor, "N T1 2"], points: Float[Tensor, "N K 2"]) -> Float[Tensor, "N"]:
    """The least distance between a way, its samples joined by straight lines, and any of the points; infinite without.

    A point that is not a number is none.
    """
    begin, step = position[:, :-1, None], position.diff(dim=1)[:, :, None]
    toward = points[:, None] - begin
    share = (toward * step).sum(-1) / step.square().sum(-1).clamp(min=1e-12)
    apart = (toward - share.clamp(0, 1)[..., None] * step).norm(dim=-1)
    apart = torch.where(apart.isnan(), math.inf, apart).flatten(1)
    return torch.cat([apart, apart.new_full((len(apart), 1), math.inf)], dim=1).amin(dim=1)


class Comfort(NamedTuple):
    """Whether a way keeps within each bound at all times, as 1 or 0; see `comfort`."""

    accel: Float[Tensor, "N"]
    lateral: Float[Tensor, "N"]
    jerk: Float[Tensor, "N"]
    longitudinal_jerk: Float[Tensor, "N"]
    yaw_accel: Float[Tensor, "N"]
    yaw_rate: Float[Tensor, "N"]

    @property
    def score(self) -> Float[Tensor, "N"]:
        """The mean of the six."""
        return torch.stack(list(self)).mean(dim=0)


def comfort(speed: Float[Tensor, "N T1"], heading: Float[Tensor, "N T1"], seconds: float) -> Comfort:
    """Six indicators of a ride that is smooth, by finite differences.

        accel              -4.05 < dv/dt < 2.40 m/s²
        lateral            |v dθ/dt| < 4.89 m/s²            v is the mean over a step
        jerk               |(dv/dt, v dθ/dt)'| < 8.37 m/s³
        longitudinal jerk  |d²v/dt²| < 4.13 m/s³
        yaw accel          |d²θ/dt²| < 1.93 rad/s²
        yaw rate           |dθ/dt| < 0.95 rad/s

    The bounds of Alpamayo-R1's released code, which are meant for steps of 0.1 s; derivatives of longer ones are
    smaller where controls change in between.
    """
    accel, yaw = speed.diff(dim=1) / seconds, heading.diff(dim=1) / seconds
    lateral = (speed[:, 1:] + speed[:, :-1]) / 2 * yaw
    jerk, sideways = accel.diff(dim=1) / seconds, lateral.diff(dim=1) / seconds
    held = [
        (accel > ACCEL[0]) & (accel < ACCEL[1]),
        lateral.abs() < LATERAL,
        torch.hypot(jerk, sideways) < JERK,
        jerk.abs() < LONGITUDINAL_JERK,
        (yaw.diff(dim=1) / seconds).abs() < YAW_ACCEL,
        yaw.abs() < YAW_RATE,
    ]
    return Comfort(*(one.all(dim=1).to(speed.dtype) for one in held))


def meta_actions(speed: Float[Tensor, "N T1"], heading: Float[Tensor, "N T1"]) -> list[tuple[str, str]]:
    """What was done, in two words of `LONGITUDINAL` and `SIDEWAYS`, by rules on the first and the last state.

    stop       it ends slower than 0.5 m/s
    slow       at less than three quarters of its speed
    speed up   at more than 1 m/s above it
    left       it has turned by more than 0.15 rad, right likewise
    """
    first, last, turned = speed[:, 0].tolist(), speed[:, -1].tolist(), (heading[:, -1] - heading[:, 0]).tolist()
    return [(_pace(v, end), _side(turn)) for v, end, turn in zip(first, last, turned, strict=True)]


def _pace(first: float, last: float) -> str:
    if last < 0.5:
        return "stop"
    return "slow" if last < 0.75 * first else "speed up" if last > first + 1 else "keep"


def _side(turned: float) -> str:
    return "straight" if abs(turned) <= 0.15 else "left" if turned > 0 else "right"
