"""What going on from the middle of a row is in every family: where it may be cut, and what is copied. Draws nothing."""

from __future__ import annotations

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from rlft.types import Rollouts, UserError


def parents(rollouts: Rollouts, at: Int[Tensor, "N"], length: Int[Tensor, "N"], group: int) -> tuple[Rollouts, Tensor]:
    """The row that each of N·group continuations goes on from, and where [N·group]; `length` decisions may be kept."""
    at, length = at.to(length.device), length.to(torch.int64)
    if group < 1 or at.shape != length.shape:
        raise UserError(f"{len(length)} rows, cut at {list(at.shape)} places, {group} continuations: one place a row")
    wrong = ((at < 0) | (at > length)).nonzero()[:, 0].tolist()
    if wrong:
        row = wrong[0]
        raise UserError(
            f"row {row} has {int(length[row])} decisions and cannot be cut at {int(at[row])}: "
            "0 is a new row of its problem, and its number of decisions leaves nothing to decide"
        )
    rows = torch.arange(len(rollouts)).repeat_interleave(group)
    return rollouts[rows], at.repeat_interleave(group)


def copied(new: Shaped[Tensor, "M D *E"], old: Shaped[Tensor, "M C *E"], at: Int[Tensor, "M"]) -> Tensor:
    """`new`, whose places before `at` are those of `old`."""
    width = max(new.shape[1], int(at.max()) if len(at) else 0)
    room = torch.cat([new, new.new_zeros(len(new), width - new.shape[1], *new.shape[2:])], dim=1)
    span = min(width, old.shape[1])
    before = torch.arange(span, device=new.device) < at.to(new.device)[:, None]
    before = before.view(*before.shape, *[1] * (new.ndim - 2))
    room[:, :span] = torch.where(before, old[:, :span].to(room), room[:, :span])
    return room
