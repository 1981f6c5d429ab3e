"""Options that count something, and the least that each may be."""

from __future__ import annotations

from typing import Any

from rlft.errors import UserError


def at_least(given: Any, **least: int) -> None:
    """UserError for the first of these attributes of `given` that is less; one that is None was not asked for."""
    for name, bound in least.items():
        value = getattr(given, name)
        if value is not None and value < bound:
            raise UserError(f"--{name.replace('_', '-')} must be at least {bound}; got {value}")
