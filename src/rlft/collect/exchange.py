"""Rollouts of a pair whose members exchange roles on the way. Not the pair itself."""

from __future__ import annotations

from rlft.collect.sources import one_batch
from rlft.types import Collect, Rollouts, Source, UserError


def exchange(every: int) -> Collect:
    """One batch; before it, after every `every` steps, the policy's members exchange roles (arXiv:2410.06101, Alg. 1).

    Each member keeps its weights and the state of its optimiser: only its part in the next rollouts changes. For
    every=0 it is `one_batch`, with roles as they are. It holds no state: the Trainer counts steps, and the policy knows
    who is first.
    """
    if every < 0:
        raise UserError(f"every must be a number of steps, or 0 for never; got {every}")

    def collect(source: Source) -> Rollouts:
        if every and source.steps_done and source.steps_done % every == 0:
            source.policy.exchange()
        return one_batch(source)

    return collect
