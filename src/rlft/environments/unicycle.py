"""Where a car goes that is told how hard to accelerate and how tightly to turn: exact kinematics of a unicycle.

Not a vehicle's dynamics: no slip, no length, no delay. Metres, seconds, radians; the car starts at the origin, heading
along x, and left is positive. N rows, T steps.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Driven(NamedTuple):
    """Where a car was before the first step and after each: position in m, heading in rad, speed in m/s."""

    position: Float[Tensor, "N T1 2"]
    heading: Float[Tensor, "N T1"]
    speed: Float[Tensor, "N T1"]


def driven(
    speed: Float[Tensor, "N"], accel: Float[Tensor, "N T"], curvature: Float[Tensor, "N T"], seconds: float
) -> Driven:
    """The way of a car with this speed at first, whose controls are held for `seconds` each.

        v' = max(v + a dt, 0)        d = the way until then, which ends where the car stands
        heading' = heading + c d     position' = position + d sinc(c d / 2) (cos, sin)(heading + c d / 2)

    The position is exact: with constant curvature c a way of length d is an arc, whose chord is d sin(c d/2) / (c d/2)
    long and lies midway between both headings. A car does not go backwards. Controls in m/s² and 1/m.
    """
    v, heading, position = speed, torch.zeros_like(speed), speed.new_zeros(len(speed), 2)
    ways = [(position, heading, v)]
    for a, c in zip(accel.unbind(1), curvature.unbind(1), strict=True):
        after = (v + a * seconds).clamp(min=0)
        # Where it comes to stand within the step v²/2|a| is all of its way.
        stands = v + a * seconds < 0
        way = torch.where(stands, v.square() / (-2 * a).where(stands, torch.ones_like(a)), (v + after) / 2 * seconds)
        half = c * way / 2
        chord = way * torch.sinc(half / torch.pi)
        position = position + chord[:, None] * torch.stack([(heading + half).cos(), (heading + half).sin()], dim=1)
        heading, v = heading + 2 * half, after
        ways.append((position, heading, v))
    return Driven(*(torch.stack(column, dim=1) for column in zip(*ways, strict=True)))


def along(way: Float[Tensor, "N"], curvature: Float[Tensor, "N"]) -> Float[Tensor, "N 2"]:
    """The point so many metres along a lane of constant curvature."""
    half = curvature * way / 2
    return (way * torch.sinc(half / torch.pi))[:, None] * torch.stack([half.cos(), half.sin()], dim=1)
