"""Means over the rows of each group: by kind of question, by half, by sort."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def means(values: Iterable[float], keys: Sequence[Key]) -> dict[Key, float]:
    """The mean of the values of each key, in the order in which the keys come first."""
    held: dict[Key, list[float]] = {}
    for value, key in zip(values, keys, strict=True):
        held.setdefault(key, []).append(value)
    return {key: sum(own) / len(own) for key, own in held.items()}
