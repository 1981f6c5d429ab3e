"""Credit by sets of rows: a row is worth what the sets it is in are worth, and a set also earns by being varied.

Polychromic objectives, arXiv:2509.25424. Pure functions on `[P G]` and what lifts them to rollouts. What counts as the
same behaviour is a key of each row, equal for equal behaviours; this file does not say what a behaviour is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.advantages.gae import gae
from rlft.advantages.shaping import whiten
from rlft.noise import hashed
from rlft.types import Credit, Problem, Rollouts, Runtime, UserError

Key = Callable[[Sequence[Problem], Any], Tensor]
"""`(problems, outputs) -> [N]` integers, equal for rows of a problem that did the same."""

# Sets of a group are enumerated; more than these would take hundreds of megabytes.
_SETS = 20_000


def diversity(keys: Int[Tensor, "*S n"], free: float = 1.0) -> Float[Tensor, "*S"]:
    """d = (behaviours - free) / (n - free), in [0, 1]: the share of distinct keys among n, float64.

    `free` behaviours earn nothing. With 1, as in the paper, a set that agrees has d = 0; with 0 it is the plain share.
    A set of one row has d = 1.
    """
    n = keys.shape[-1]
    if n == 1:
        return torch.ones(keys.shape[:-1], dtype=torch.float64, device=keys.device)
    behaviours = 1 + (keys.sort(dim=-1).values.diff(dim=-1) != 0).sum(-1)
    return (behaviours - free).double() / (n - free)


def set_advantage(
    rewards: Float[Tensor, "P G"], keys: Int[Tensor, "P G"], n: int, free: float = 1.0
) -> Float[Tensor, "P G"]:
    """The advantage of a row under the set objective J = E f(rows 1 … n) (arXiv:2509.25424).

        f(set) = mean of the set's R · d(set),      A_i = mean of f over the sets with i - mean of f over all sets

    over all C(G, n) sets of a group, so no set is drawn and the order of rows does not matter. All members of a set
    share its advantage. The mean of A_i grad log pi(i) over a group is, on average, (1 - n/G)/n grad J: the baseline
    holds the row itself, which changes the scale and not the direction.

    Degenerates into `center` for n = 1, into 0 where all rewards are 0 and into 0 for n = G. With n = 2 and `free` = 0
    the objective's optimum over arms with rewards r_a is p_a = max(1 - mu/r_a, 0), for two arms r_1/(r_1 + r_2); with
    `free` = 1 it is half of that, renormalised by its own mu: two arms are balanced whatever they earn.

    Rows without a reward (NaN) are in no set and stay NaN; where n scored rows or fewer are left, the rest get 0.
    """
    members = _members(rewards.shape[1], n).to(rewards.device)
    belongs = rewards.new_zeros(len(members), rewards.shape[1]).scatter_(1, members, 1)
    scored = ~rewards[:, members].isnan().any(-1)
    value = rewards[:, members].mean(-1) * diversity(keys[:, members], free).to(rewards)
    value = torch.where(scored, value, 0)
    sets = scored.to(rewards)
    own = value @ belongs / (sets @ belongs).clamp(min=1)
    mean = value.sum(1, keepdim=True) / sets.sum(1, keepdim=True).clamp(min=1)
    advantage = torch.where(sets @ belongs > 0, own - mean, 0)
    return torch.where(rewards.isnan(), torch.nan, advantage)


def _members(group: int, n: int) -> Int[Tensor, "S n"]:
    if not 1 <= n <= group:
        raise UserError(f"a set needs from 1 row to the whole group; got sets of {n} in groups of {group}")
    count = math.comb(group, n)
    if count > _SETS:
        raise UserError(
            f"groups of {group} rows have {count} sets of {n}, and all are enumerated, at most {_SETS}: choose a "
            "smaller group or smaller sets"
        )
    return torch.tensor(list(combinations(range(group), n)))


def half(group: int) -> int:
    """The size of a set where none is given: half of the group, rounded up, as in the paper's (8, 4)."""
    return (group + 1) // 2


def same_output(problems: Sequence[Problem], outputs: Any) -> Int[Tensor, "N"]:
    """Rows do the same if their outputs are equal: texts letter by letter, tensors number by number."""
    return torch.tensor([hashed(_plain(output)) for output in outputs], dtype=torch.int64)


def _plain(output: Any) -> Any:
    """Something whose print says everything."""
    if isinstance(output, Tensor):
        return output.tolist()
    if is_dataclass(output):
        return [_plain(value) for value in vars(output).values()]
    return output


def per_set(n: int | None = None, free: float = 1.0, key: Key | None = None) -> Credit:
    """`set_advantage` of each row, in every decision. Groups are whole on every process, so nothing is gathered.

    n     rows of a set; None takes half of the group
    key   what counts as the same behaviour; None is `same_output`
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        group = rollouts.group
        keys = (key or same_output)(rollouts.problems, rollouts.outputs).to(rollouts.rewards.device)
        rewards = rollouts.rewards.reshape(-1, group)
        return set_advantage(rewards, keys.reshape(-1, group), n or half(group), free).reshape(-1)

    return credit


def windowed(first: Credit, window: int, gamma: float, lam: float) -> Credit:
    """`first` in each row's first `window` decisions on the mask, GAE in the others; fills `returns` too.

    The two kinds are whitened separately, each over the decisions of all processes that it credits. Degenerates into
    `gae(gamma, lam)` for window = 0, and into `first`, whitened, where no row is longer than the window.
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        mask = rollouts.mask
        inside = mask & (mask.cumsum(1) <= window)
        judged = gae(gamma, lam, normalise=False)(rollouts, runtime)
        assert isinstance(judged, dict)
        early = first(rollouts, runtime)
        assert isinstance(early, Tensor)
        early = whiten(early.reshape(len(early), -1).expand_as(judged["advantages"]), inside, runtime)
        late = whiten(judged["advantages"], mask & ~inside, runtime)
        return {"advantages": early + late, "returns": judged["returns"]}

    return credit
