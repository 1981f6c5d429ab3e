"""How gradients become steps: the optimiser, its schedule, and float32 masters of weights in half precision.

Not mixed precision of activations: a model computes in the type of its weights. bfloat16 has eight bits of mantissa,
so an update smaller than 1/256 of a weight is lost: at a learning rate of 1e-6 nearly all are, and full fine-tuning
changes nothing. The optimiser therefore works on a float32 copy of each such weight, with gradients that are added up
in float32 over passes and processes, and the weight is the copy, rounded (Micikevicius et al. 2018, arXiv:1710.03740,
Sec. 3.1). Weights of other types are their own masters, and nothing about them changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rlft.types import UserError

# From so many numbers on the fused kernel is used, which takes a fifth of the time and rounds otherwise. Small models
# gain nothing by it, and keep the numbers that were published of them.
_FUSED = 2**22
_HALF = torch.bfloat16


def adamw(parameters: Sequence[Tensor], lr: float) -> torch.optim.Optimizer:
    """AdamW without weight decay, which would pull a fine-tuned model towards zero and not towards its start."""
    large = sum(parameter.numel() for parameter in parameters) >= _FUSED
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0, fused=True if large else None)


@dataclass(frozen=True)
class Optimizing:
    """How gradients become steps.

    schedule       what the learning rate is multiplied by at each step
    optimizer      makes one of parameters and a learning rate
    max_grad_norm  bound on the norm of all gradients of an update
    """

    schedule: Callable[[int], float] = lambda step: 1.0
    optimizer: Callable[[Sequence[Tensor], float], torch.optim.Optimizer] = adamw
    max_grad_norm: float = 1.0


class Masters:
    """The masters of these weights, in their order; a weight that is named twice has one.

    UserError for weights in float16: their gradients are lost below 6e-8, and nothing here scales the loss.
    """

    def __init__(self, weights: Sequence[torch.nn.Parameter]):
        if any(weight.dtype == torch.float16 for weight in weights):
            raise UserError(
                "the weights to be trained are float16, where gradients below 6e-8 are lost; load the model with "
                "--dtype bfloat16 or float32, or train adapters (--lora) on it, which are float32"
            )
        self.weights = list({id(weight): weight for weight in weights if weight.dtype == _HALF}.values())
        self.copies = [weight.detach().float() for weight in self.weights]
        self.by_weight = {id(weight): copy for weight, copy in zip(self.weights, self.copies, strict=True)}

    def of(self, weights: Sequence[torch.nn.Parameter]) -> list[Tensor]:
        """What the optimiser is given for these weights."""
        return [self.by_weight.get(id(weight), weight) for weight in weights]

    def gather(self) -> None:
        """Add the weights' gradients to their masters', and take them away: the next pass begins with none."""
        for weight, copy in zip(self.weights, self.copies, strict=True):
            if weight.grad is not None:
                copy.grad = weight.grad.float() if copy.grad is None else copy.grad.add_(weight.grad)
                weight.grad = None

    @torch.no_grad()
    def write(self) -> None:
        """Round the masters into the weights."""
        for weight, copy in zip(self.weights, self.copies, strict=True):
            weight.copy_(copy)

    def state_dict(self) -> dict[str, Tensor]:
        """The masters by their number; empty where all weights are their own."""
        return {str(number): copy for number, copy in enumerate(self.copies)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take these masters; of a state without any, the weights as they are."""
        for number, (weight, copy) in enumerate(zip(self.weights, self.copies, strict=True)):
            copy.copy_(state[str(number)] if state else weight)
