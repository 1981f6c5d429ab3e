"""A policy as it is now, to measure from. Trains nothing."""

from __future__ import annotations

import copy

from rlft.types import HasReference, Policy


def frozen(policy: Policy) -> Policy:
    """The policy as it is now, without gradient: lent by the policy where it can, else a copy."""
    if isinstance(policy, HasReference):
        return policy.reference()
    copied = copy.deepcopy(policy)
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied
