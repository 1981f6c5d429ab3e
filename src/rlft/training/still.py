"""The weights of a policy that no step changes: a copy to measure from, those without gradient. Trains nothing."""

from __future__ import annotations

import copy
from typing import cast

import torch

from rlft.types import HasReference, Policy


def untrained(policy: Policy) -> set[str]:
    """The names of the weights without gradient, which no step changes."""
    named = cast(torch.nn.Module, policy).named_parameters(remove_duplicate=False)
    return {name for name, weight in named if not weight.requires_grad}


def frozen(policy: Policy) -> Policy:
    """The policy as it is now, without gradient: lent by the policy where it can, else a copy."""
    if isinstance(policy, HasReference):
        return policy.reference()
    copied = copy.deepcopy(policy)
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied
