"""Run a reward over a batch and check what it returned. A reward may raise; it may not be silently wrong."""

from __future__ import annotations

import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.errors import Misbehaved, shown
from rlft.types import Blame, Parts, Problem, Reward, UserError

# Of a reward: batches of squares stay within float32, which ends at 3.4e38.
_LARGEST = 1e16


@dataclass(frozen=True)
class Scores:
    """What a reward said: `total` [N], the rewards of each decision where it gave them, by name its parts and what it
    wants watched, [N] each, and of each row what it finds wrong in it, where it looks for that."""

    total: Float[Tensor, "N"]
    at: Float[Tensor, "N D"] | None
    parts: Mapping[str, Float[Tensor, "N"]]
    blame: Sequence[Sequence[Blame]] | None = None


def score(reward: Reward, problems: Sequence[Problem], outputs: Any, decisions: int = 1) -> Scores:
    """The rewards of N rows. `decisions` is D, to which rewards of single decisions are padded with zeros.

    A reward returns N numbers, N rows of at most D numbers, or a dict of such with names, which add up. None and NaN
    mean that a row could not be scored, of a part that it has nothing to say of the row: the total is the sum of the
    parts that scored it, and NaN where none did. Anything else raises `UserError`, and so does a reward that raises.
    One that ends its process (`sys.exit`) is `Misbehaved`; a fork of it that comes back is ended.
    """
    result = _asked(reward, problems, outputs)
    if not isinstance(result, Mapping):
        total, at = _column(result, len(problems), decisions, "the reward")
        return Scores(total, at, {})
    if not result:
        critic = isinstance(result, Parts) and result.blame is not None
        raise UserError(
            "a critique blames steps and pays nothing: give a reward beside it, --reward math 'critique(…)'"
            if critic
            else "the reward returned an empty dict: give it at least one named part"
        )
    columns = {
        name: _column(part, len(problems), decisions, f"the reward's part {name!r}") for name, part in result.items()
    }
    total = _sum([part for part, _ in columns.values()])
    _check_size(total, "the sum of the reward's parts")
    parts = {name: part for name, (part, _) in columns.items()}
    if not isinstance(result, Parts):
        return Scores(total, _sum_at(columns, decisions), parts)
    return Scores(total, _sum_at(columns, decisions), {**parts, **result.watch}, result.blame)


def graded(reward: Reward | None) -> Callable[[Sequence[Problem], Any], Tensor]:
    """A reward as a method differentiates it: the total of N rows [N], with the gradient of the outputs.

    Named parts add up, as in `score`. `UserError` for a reward that gives none.
    """
    if reward is None:
        raise UserError("the method differentiates the reward, and none was given")
    return partial(_graded, reward)


def _graded(reward: Reward, problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
    result = _asked(reward, problems, outputs)
    parts = [*result.values()] if isinstance(result, Mapping) else [result]
    for part in parts:
        if not isinstance(part, Tensor) or part.shape != (len(problems),):
            raise UserError(f"the reward returned {shown(part)}; to be differentiated it returns a tensor [N] of torch")
    total = _sum([part.to(parts[0]) for part in parts])
    if torch.is_grad_enabled() and not total.requires_grad:
        raise UserError(
            "the reward has no gradient, and the method learns from nothing else: compute it with torch from the "
            "outputs, without detach(), numpy or no_grad(), or use a method of likelihoods (grpo, ddpo, loop)"
        )
    return total


def _asked(reward: Reward, problems: Sequence[Problem], outputs: Any) -> Any:
    """What the reward returns, in the process that asked it."""
    asking = os.getpid()
    try:
        return reward(problems, outputs)
    except UserError:
        raise
    except SystemExit as error:
        raise Misbehaved(
            f"the reward called sys.exit({'' if error.code is None else repr(error.code)}), which ends no run as done "
            f"({_where(error)}); let it raise an error, or return None for rows that cannot be scored"
        ) from error
    except Exception as error:
        raise UserError(
            f"the reward raised {type(error).__name__}: {_text(error)} ({_where(error)}); mend it, or let it return "
            "None for rows that cannot be scored"
        ) from error
    finally:
        if os.getpid() != asking:
            os.write(2, b"rlft: a fork of the reward came back from it, and was ended: end it with os._exit\n")
            os._exit(1)


def _where(error: BaseException) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{where.filename}:{where.lineno}"


def _text(error: BaseException) -> str:
    """What an error says, or nothing if saying it fails."""
    try:
        return str(error)
    except Exception:
        return ""


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
    _check_size(total, who)
    return total, at


def _check_size(total: Tensor, who: str) -> None:
    """UserError for a reward that is infinite, or so large that its square, as in a variance, would be."""
    large = total.abs() > _LARGEST  # not NaN
    if large.any():
        row = int(large.nonzero()[0])
        value = float(total[row])
        told = "infinite" if math.isinf(value) else f"{value:.3g}"
        raise UserError(
            f"{who} is {told} for row {row}; expected a number from -{_LARGEST:.0e} to {_LARGEST:.0e}, whose square "
            "can be averaged, or None if it cannot be scored"
        )


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
        found = torch.as_tensor(item).detach()
        if found.is_complex():
            raise TypeError
        return found.to(device="cpu", dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise UserError(f"{who} returned {shown(item)} for row {row}; expected a number, or None if unscored") from None


def _is_array(result: Any) -> bool:
    import numpy as np

    return isinstance(result, np.ndarray)
