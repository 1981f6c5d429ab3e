"""A policy as it is now, to measure from or to begin from again. Trains nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import final

import torch
from torch import Tensor

from rlft.training.optimizing import Masters
from rlft.types import HasReference, Method, Policy


def frozen(policy: Policy) -> Policy:
    """The policy as it is now, without gradient: lent by the policy where it can, else a copy."""
    if isinstance(policy, HasReference):
        return policy.reference()
    copied = copy.deepcopy(policy)
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied


@final
class Start:
    """The weights that a method trains as they are now, for one whose every step begins there (`Method.anew`).

    They are in no checkpoint: a Trainer that is built in the same way begins with them, as it does with its reference.
    Of another method nothing is kept.
    """

    def __init__(
        self, method: Method, policy: Policy, masters: Masters, optimizers: Mapping[str, torch.optim.Optimizer]
    ):
        trained: Iterable[Tensor] = (w for u in method.updates for w in u.parameters(policy)) if method.anew else ()
        self.kept = [(weight, weight.detach().clone()) for weight in {id(w): w for w in trained}.values()]
        self.masters, self.optimizers = masters, optimizers

    @torch.no_grad()
    def back(self) -> None:
        """Put the weights back, and let the optimisers forget: what comes next is what a new Trainer would do."""
        if not self.kept:
            return
        for weight, start in self.kept:
            weight.copy_(start)
        self.masters.load_state_dict({})
        for optimizer in self.optimizers.values():
            optimizer.state.clear()
