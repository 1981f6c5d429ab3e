"""What a reward said of rows, as columns of the rows: whole numbers, those of decisions, blame. It asks no reward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.errors import UserError
from rlft.training.score import Scores
from rlft.types import Blame, Rollouts, Writing


def columns(scores: Scores, policy: Any, rollouts: Rollouts) -> dict[str, Tensor]:
    """`rewards` [N], and where the reward gave them `reward_at` and `blame`, both [N, D]."""
    found = {"rewards": scores.total}
    if scores.at is not None:
        found["reward_at"] = scores.at
    if scores.blame is not None:
        found["blame"] = blamed(scores.blame, policy, rollouts)
    return {name: column.to(rollouts.mask.device) for name, column in found.items()}


def blamed(blame: Sequence[Sequence[Blame]], policy: Any, rollouts: Rollouts) -> Float[Tensor, "N D"]:
    """How wrong a critic finds what each decision wrote, 0 where it says nothing.

    Of a passage these are the decisions from its first character to before its end; one that reaches over into it is
    its own. To one that ends with the output belongs what ended the row. `UserError` for a policy that does not know
    which decision wrote what, or rows that have no such characters.
    """
    if not isinstance(policy, Writing):
        raise UserError(
            f"a critique blames passages of a text, and {type(policy).__name__} cannot say which of its decisions "
            "wrote them: critique a language policy's own completions, without tools or turns"
        )
    if len(blame) != len(rollouts):
        raise UserError(f"a critique says something of {len(blame)} rows, and there are {len(rollouts)}")
    out = torch.zeros(rollouts.mask.shape)
    for row, passages in enumerate(blame):
        output = rollouts.outputs[row]
        for begin, end, share in passages:
            if not 0 <= begin < end <= len(output):
                raise UserError(f"a critique blames characters {begin} to {end} of row {row}, which has {len(output)}")
            first, last = policy.placed(output, [begin, end])
            out[row, first : out.shape[1] if end == len(output) else last] = share
    return torch.where(rollouts.mask.cpu(), out, 0)
