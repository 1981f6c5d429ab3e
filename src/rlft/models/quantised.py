"""Weights in eight bits: what a model would weigh, and how far its weights would move. No model is run so.

    scale_r = max_c |w_rc| / 127        q_rc = round(w_rc / scale_r)        |w_rc - scale_r q_rc| <= scale_r / 2

One scale in float32 for each row of a matrix, symmetric, as absmax quantisation (Dettmers et al. 2022,
arXiv:2208.07339, Sec. 2); vectors, such as the weights of norms, stay in sixteen bits. In bytes of weights alone a
matrix of R rows and C columns is 2 R C in float16 and R C + 4 R here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn


def quantised(weight: Float[Tensor, "R *C"]) -> tuple[Int8[Tensor, "R *C"], Float[Tensor, "R"]]:
    """A weight of two axes or more as codes from -127 to 127, and a scale for each row; rows of zeros have scale 1."""
    rows = weight.detach().float().flatten(1)
    scale = rows.abs().amax(1) / 127
    scale = torch.where(scale > 0, scale, 1.0)
    return (rows / scale[:, None]).round().to(torch.int8).reshape(weight.shape), scale


def restored(codes: Int8[Tensor, "R *C"], scale: Float[Tensor, "R"]) -> Float[Tensor, "R *C"]:
    """The weight that the codes stand for."""
    return (codes.flatten(1).float() * scale[:, None]).reshape(codes.shape)


@dataclass(frozen=True)
class Footprint:
    """Bytes of a model's weights, each counted once.

    held    as they are in memory now
    fp16    in sixteen bits
    int8    matrices in eight bits and their scales, the rest in sixteen
    error   the largest |w - restored w| in units of its row's scale: at most 1/2, but for rounding of the quotient
    """

    held: int
    fp16: int
    int8: int
    error: float


@torch.no_grad()
def footprint(model: nn.Module) -> Footprint:
    """What the model's parameters weigh, and how far those in eight bits would be from them."""
    held = half = small = 0
    error = 0.0
    for weight in model.parameters():  # shared ones come once
        held += weight.numel() * weight.element_size()
        half += 2 * weight.numel()
        if weight.dim() < 2:
            small += 2 * weight.numel()
            continue
        codes, scale = quantised(weight)
        small += codes.numel() + 4 * scale.numel()
        apart = (weight.float() - restored(codes, scale)).flatten(1).abs() / scale[:, None]
        error = max(error, float(apart.max()))
    return Footprint(held, half, small, error)
