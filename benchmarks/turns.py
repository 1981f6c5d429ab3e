"""Several ways of doing the same, timed in turns, so that what else the machine does is shared by all."""

import statistics
import time
from collections.abc import Callable, Mapping


def rates(kinds: Mapping[str, tuple[Callable[[int], None], int]], rounds: int) -> dict[str, float]:
    """How many a second each does, the median of so many rounds; one round goes before and is not counted.

    kinds  by name what does so many, and how many it is to do each time
    """
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(rounds + 1):
        for name, (run, count) in kinds.items():
            began = time.perf_counter()
            run(count)
            if turn:
                found[name].append(count / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in found.items()}
