"""Where a foreign world's noise comes from: its generators are given a row's, and what escapes that is said. No world.

A Gymnasium world is asked to draw from `np_random` alone. Many keep further generators, in themselves, a wrapper or a
space; these are found and seeded. One that is made anew without a seed, or is the whole process's, cannot be.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch

Result = TypeVar("Result")


def reseed(world: Any, key: int) -> None:
    """All generators of a world and its wrappers start at the key, in place: who shares one goes on sharing it."""
    world.unwrapped.np_random = np.random.default_rng(key)
    reseed_others(world, key)


def reseed_others(world: Any, key: int) -> None:
    """The same but for the one that a world's own `reset` seeds."""
    for number, generator in enumerate(_generators(world)):
        sequence = np.random.SeedSequence([key % 2**63, number])
        seed = int(sequence.generate_state(1)[0])
        match generator:
            case np.random.Generator():
                generator.bit_generator.state = type(generator.bit_generator)(sequence).state
            case torch.Generator():
                generator.manual_seed(seed)
            case _:
                generator.seed(seed)


def _generators(world: Any) -> Iterator[Any]:
    """Generators in the attributes of a world and its wrappers, and its spaces; not `np_random`."""
    from gymnasium import Wrapper, spaces

    kinds = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator, spaces.Space)
    seen = {id(world.unwrapped.np_random)}
    while True:
        for value in vars(world).values():
            if isinstance(value, kinds) and id(value) not in seen:
                seen.add(id(value))
                yield value
        if not isinstance(world, Wrapper):
            return
        world = world.env


def watched(name: str, act: Callable[[], Result]) -> Result:
    """What `act` returns; a warning if it drew from a generator that all rows share."""
    before = _shared()
    result = act()
    if drawn := [whose for whose, state in _shared().items() if state != before[whose]]:
        warnings.warn(
            f"{name} draws from the process's own generator of {' and '.join(drawn)}: its noise is not a row's own, "
            "and runs do not repeat. Let it draw from self.np_random",
            stacklevel=2,
        )
    return result


def _shared() -> dict[str, Any]:
    return {
        "random": random.getstate(),
        "numpy": repr([np.asarray(part).tolist() for part in np.random.get_state(legacy=True)]),
        "torch": torch.random.get_rng_state().numpy().tobytes(),
    }


def unseeded(name: str) -> None:
    """Say that a world does not start where its seed says."""
    warnings.warn(
        f"{name} starts in different states from one seed: rows of a group do not start together, and runs do not "
        "repeat. Let its reset draw from self.np_random alone",
        stacklevel=2,
    )
