"""Training some entries of a weight and not the others: the gradient of the others is taken to be 0.

An optimiser without weight decay that has only ever seen 0 of an entry leaves it where it is, bit for bit, also when
it keeps float32 masters. It costs what training all does; freezing whole tensors (`requires_grad_`) saves time.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool
from torch import Tensor

from rlft.types import UserError


def only(weights: Mapping[str, torch.nn.Parameter], masks: Mapping[str, Bool[Tensor, "..."]]) -> None:
    """From now on, of the weights that are named, only the entries where their mask is true are trained.

    Args:
        weights: by name, as `dict(policy.named_parameters())` has them; those without a mask are trained as before.
        masks: of these names, each of its weight's shape.

    Raises:
        UserError: a mask of no weight, or of another shape.
    """
    for name, mask in masks.items():
        if name not in weights:
            raise UserError(f"there is a mask for {name!r}, and no such weight: names are those of named_parameters()")
        if mask.shape != weights[name].shape:
            raise UserError(f"the mask of {name} is {tuple(mask.shape)}, the weight {tuple(weights[name].shape)}")
    for name, mask in masks.items():
        _hooked(weights[name], mask)


def _hooked(weight: torch.nn.Parameter, mask: Tensor) -> None:
    weight.register_hook(lambda gradient: torch.where(mask, gradient, 0.0))
