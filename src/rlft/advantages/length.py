"""Credit that looks at how long a row is. Nothing here measures what a row says."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, Rollouts, Runtime, UserError


def without_overlong(credit: Credit, limit: int) -> Credit:
    """The same advantages, NaN (left out) for rows of `limit` decisions or more: DAPO's overlong filter.

    Such a row stays in the statistics of its group and batch, and has no gradient of its own (arXiv:2503.14476,
    Section 3.4; arXiv:2508.08221, Section 4.4). `limit` is what ended the rows, so a row that made an end of its own
    with its very last decision is left out too. With a `limit` that no row reaches it is `credit`.
    """
    if limit < 1:
        raise UserError(f"limit is the number of decisions at which a row was cut off, at least 1; got {limit}")

    def filtered(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N *D"]:
        advantages = credit(rollouts, runtime)
        if not isinstance(advantages, Tensor):
            raise UserError(
                "the overlong filter stands behind a group or batch baseline, not behind a critic's returns"
            )
        cut = rollouts.mask.sum(1) >= limit
        return advantages.masked_fill(cut.reshape(-1, *[1] * (advantages.ndim - 1)), torch.nan)

    return Around(filtered, credit)
