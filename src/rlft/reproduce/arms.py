"""A recipe's claim and the arms of it, by their names. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.errors import UserError, unknown
from rlft.evidence.claim import Claim
from rlft.recipes import module, names
from rlft.reproduce import declared


def claim(name: str) -> Claim:
    """What the recipe claims, in the variable `CLAIM` of its module."""
    found = getattr(module(name), "CLAIM", None)
    if found is None:
        having = [other for other in names() if declared.declares(other)]
        raise UserError(f"recipe {name!r} makes no claim; those that do: {', '.join(having)}")
    return found


def arm(name: str, chosen: str) -> Mapping[str, Any]:
    """The arguments of one arm of a recipe's claim."""
    arms = claim(name).arms
    if chosen not in arms:
        raise unknown(f"arm of {name}", chosen, list(arms))
    return arms[chosen].arguments
