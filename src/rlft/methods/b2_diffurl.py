"""B²-DiffuRL: backward progressive training and branch-based sampling. Hu et al. 2025, arXiv:2503.11240.

Differs from `ddpo` in three places: only a row's last decisions are learned from, more of them as training goes on;
groups branch where these begin, so that only they can have made the difference; of each group the best and the worst
row are learned from. Written for diffusion, but any policy that can go on from the middle of a row will do.

    τ_i  = first + floor((D + 1 - first) i / over), at most D          of step i
    z    = (R - mean) / std over the prompt's last `buffer` rewards
    A    = clamp(z, ±5) for the best of a group if z >= keep, for the worst if z < -keep; other rows are left out
    loss = mean_i mean_(d of the last τ) -min(r A_i, clip(r, 1-clip, 1+clip) A_i)

The authors' clip of 0.1 belongs to log-probabilities averaged over the latent's dimensions (`event="mean"`), where it
hardly ever binds.
"""

from dataclasses import replace
from typing import Literal

from rlft.advantages.extremes import extremes
from rlft.collect.backward import Interval, branches, latest
from rlft.methods.ddpo import ddpo
from rlft.types import Method, Resumable, published


@published
def b2_diffurl(
    first: int = 14,
    over: int = 100,
    sampling: Literal["branches", "rows"] = "branches",
    keep: float = 0.5,
    clip: float = 0.1,
    buffer: int = 64,
    at_least: int = 16,
    largest: float = 5.0,
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """B²-DiffuRL.

    Args:
        first: decisions at the end of a row that are learned from in the first step.
        over: steps after which all are; 0 leaves it at `first`.
        sampling: groups branch where these decisions begin, and best and worst are kept; or rows are drawn whole, as
            for DDPO, and all of them are kept.
        keep: least size of the normalised reward of a row that is kept.
        clip: how far a decision's ratio may move from 1.
        buffer: rewards that each prompt remembers.
        at_least: rewards a prompt must have seen before its own statistics are used instead of the batch's.
        largest: bound on the size of an advantage.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    plain = ddpo(clip, buffer, at_least, largest, epochs, minibatches)
    interval = Interval(first, over)
    if sampling == "rows":
        return replace(plain, collect=latest(interval))
    credit = extremes(plain.advantage, keep)
    return replace(plain, advantage=credit, collect=branches(interval), min_group=2, needs=(Resumable,))
