"""Run a reward over a batch and check what it returned. A reward may raise; it may not be silently wrong."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.errors import shown
from rlft.types import Parts, Problem, Reward, UserError


@dataclass(frozen=True)
class Scores:
    """What a reward said: `total` [N], the rewards of each decision where it gave them, and by name its parts and what
    it wants watched, [N] each."""

    total: Float[Tensor, "N"]
    at: Float[Tensor, "N D"] | None
    parts: Mapping[str, Float[Tensor, "N"]]


def score(reward: Reward, problems: Sequence[Problem], outputs: Any, decisions: int = 1) -> Scores:
    """The rewards of N rows. `decisions` is D, to which rewards of single decisions are padded with zeros.

    A reward returns N numbers, N rows of at most D numbers, or a dict of such with names, which add up. None and NaN
    mean that a row could not be scored, of a part that it has nothing to say of the row: the total is the sum of the
    parts that scored it, and NaN where none did. Anything else raises `UserError`, and so does a reward that raises.
    """
    try:
        result = reward(problems, outputs)
    except UserError:
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"the reward raised {type(error).__name__}: {error} ({where.filename}:{where.lineno}); mend it, or let it "
            "return None for rows that cannot be scored"
        ) from error
    if not isinstance(result, Mapping):
        total, at = _column(result, len(problems), decisions, "the reward")
        return Scores(total, at, {})
    if not result:
        raise UserError("the reward returned an empty dict: give it at least one named part")
    columns = {
        name: _column(part, len(problems), decisions, f"the reward's part {name!r}") for name, part in result.items()
    }
    total = _sum([part for part, _ in columns.values()])
    parts = {name: part for name, (part, _) in columns.items()}
    return Scores(total, _sum_at(columns, decisions), {**parts, **(result.watch if isinstance(result, Parts) else {})})


def _sum_at(columns: Mapping[str, tuple[Tensor, Tensor | None]], decisions: int) -> Tensor | None:
    if all(at is None for _, at in columns.values()):
        return None
    if any(at is None for _, at in columns.values()):
        names = ", ".join(repr(name) for name, (_, at) in columns.items() if at is None)
        raise UserError(f"some parts of the reward are per decision and {names} per row: give all of them one form")
    return _sum([torch.where(t.isnan()[:, None], torch.nan, at) for t, at in columns.values() if at is not None])


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """The sum of what is there; NaN where nothing is."""
    stacked = torch.stack(list(parts))
    return torch.where(stacked.isnan().all(0), torch.nan, stacked.nansum(0))


def _column(result: Any, rows: int, decisions: int, who: str) -> tuple[Tensor, Tensor | None]:
    total, at = _read(result, rows, decisions, who)
    if total.isinf().any():
        row = int(total.isinf().nonzero()[0])
        raise UserError(f"{who} is infinite for row {row}; expected a finite number, or None if it cannot be scored")
    return total, at


def _read(result: Any, rows: int, decisions: int, who: str) -> tuple[Tensor, Tensor | None]:
    if isinstance(result, str | bytes) or not (isinstance(result, Tensor | Sequence) or _is_array(result)):
        raise UserError(f"{who} returned {shown(result)}; expected {rows} numbers, one for each row")
    if len(result) != rows:
        raise UserError(f"{who} returned {len(result)} values for {rows} rows; expected one for each row")
    if isinstance(result, Tensor) and result.ndim == 1:
        return _numbers(result, 0, who), None
    items = [_numbers(item, row, who) for row, item in enumerate(result)]
    if all(item.ndim == 0 for item in items):
        return torch.stack(items), None
    if any(item.ndim != 1 or len(item) > decisions for item in items):
        shapes = sorted({tuple(item.shape) for item in items})
        raise UserError(f"{who} returned rows of shapes {shapes[:4]}; expected numbers, or up to {decisions} per row")
    at = torch.zeros(rows, decisions)
    for row, item in enumerate(items):
        at[row, : len(item)] = item
    return at.sum(1), at


def _numbers(item: Any, row: int, who: str) -> Tensor:
    if item is None:
        return torch.tensor(torch.nan)
    try:
        return torch.as_tensor(item).detach().to(device="cpu", dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(f"{who} returned {shown(item)} for row {row}; expected a number, or None if unscored") from None


def _is_array(result: Any) -> bool:
    import numpy as np

    return isinstance(result, np.ndarray)
