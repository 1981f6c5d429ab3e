"""Which preferences between critiques are kept: those that the revisions bear out. Asks nobody.

MARV, multi-agent revision verification, of MultiCritique (Lan et al. 2024, arXiv:2410.15287): several models revise the
response by each of two critiques, several times, a reward model scores the revisions, and

    keep (chosen, rejected)    iff    mean score of revisions by chosen > mean score of revisions by rejected

With n revisions of each, a mean difference of `gap` between the better critique's and the worse one's, and `deviation`
of the difference of two single revisions, a pair in the right order is kept with chance Phi(sqrt(n) gap/deviation) and
one in the wrong order with the rest, by the normal approximation. If a share e of all pairs is in the wrong order,

    e' = e (1 - Phi) / (e (1 - Phi) + (1 - e) Phi)

of the kept ones are: e itself for n = 0, and ever less where revisions tell, gap > 0. Where the reviser or the score of
a revision rewards what is worse, gap < 0, the filter keeps the wrong ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from rlft.errors import UserError


@dataclass(frozen=True)
class Borne:
    """Mean scores of the revisions that two critiques led to, NaN where none could be scored."""

    chosen: float
    rejected: float

    @property
    def out(self) -> bool:
        """Whether the pair is kept; ties and NaN are not."""
        return self.chosen > self.rejected


def borne(chosen: Sequence[float | None], rejected: Sequence[float | None]) -> Borne:
    """From the scores of single revisions; None and NaN, those that cannot be scored, are passed over."""
    return Borne(_mean(chosen), _mean(rejected))


def _mean(scores: Sequence[float | None]) -> float:
    told = [float(one) for one in scores if one is not None and not math.isnan(one)]
    return fmean(told) if told else math.nan


def kept_noise(noise: float, gap: float, deviation: float, revisions: int) -> float:
    """e': the share of kept pairs that are in the wrong order, of which `noise` were before."""
    if not 0 <= noise < 1 or not deviation > 0 or revisions < 0:
        raise UserError(
            f"noise is from 0 to below 1, deviation more than 0, revisions not negative; got {noise}, {deviation} and "
            f"{revisions}"
        )
    right = NormalDist().cdf(math.sqrt(revisions) * gap / deviation)
    wrong = noise * (1 - right)
    return wrong / (wrong + (1 - noise) * right)
