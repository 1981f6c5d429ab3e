"""Sampled chains of thought beside annotated ones: which of their tokens are pooled, and where that draws them.

The pooled states of all rows of the batch, on all processes, are compared once, when they are drawn; what is kept of it
is the gradient with respect to each pooled state (`toward`), so that a row learns its part of the comparison alone, in
whatever pass (gradient caching, Gao et al. 2021, arXiv:2101.06983). At the policy that drew the rows that is the exact
gradient of the whole comparison; later updates of the same batch go on in its direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from rlft.advantages.group import everyone
from rlft.collect.sources import one_batch
from rlft.noise import hashed, row_keys, uniform
from rlft.types import Collect, Problem, Rollouts, Source, UserError

Weighing = Literal["mean", "value"]
"""What the tokens of a chain weigh in its pooled state: all the same, or the softmax of what the critic expects."""

Counted = Literal["decisions", "rows"]
_AT_ONCE = 64  # rows whose states exist at a time


class Chains(NamedTuple):
    """The pooled states [M H] of a batch's rows, and what is known of them.

    whole, common, wrong   of the sampled chain: all of its tokens, those it has in common with the annotated one as a
                           longest common subsequence, and the others
    annotated, missing     of the annotated one: all of its tokens, and those the sampled one has not; no gradient
    right                  whether the row's answer is right
    known                  whether there are two chains with a token each;   apart  whether all of the parts have one
    """

    whole: Tensor
    common: Tensor
    wrong: Tensor
    annotated: Tensor
    missing: Tensor
    right: Bool[Tensor, "M"]
    known: Bool[Tensor, "M"]
    apart: Bool[Tensor, "M"]


Comparison = Callable[[Chains], Tensor]
"""A loss of the whole batch, differentiable in the sampled chains' states."""


@dataclass(frozen=True)
class Partial:
    """What a wrong but well formed row earns for being like the annotated chain.

    formed    the reward that tells such rows: at least this, and less than what a right row has
    base      what they get in its place, and
    similar   what they get besides, times the cosine
    """

    formed: float = 0.1
    base: float = 0.2
    similar: float = 0.1


def contrasted(
    comparison: Comparison,
    weighing: Weighing = "mean",
    dropped: float = 0.1,
    solved: float = 1.0,
    partial: Partial | None = None,
    counted: Counted = "decisions",
    collect: Collect = one_batch,
) -> Collect:
    """The rows of `collect` with the columns `pools` [N 3 D] and `toward` [N 3 H].

        z_ik = sum_d pools_ikd states_id             k: whole, common, wrong
        toward_ik = n d comparison / d z_ik          n the decisions, or the rows, of the whole batch

    So sum_ik toward_ik · z_ik over n has the comparison's gradient, where n is what the method's loss is divided by. A
    token's state is the one from which the next is decided, so a chain's last token has none. The annotated chain is
    the problem's lesson, embedded without gradient by the policy as it is; a row without one takes no part.

    weighing  see `Weighing`
    dropped   share of the annotated chain's tokens that are left out at random, each time anew
    solved    the reward from which a row is right
    partial   replaces the reward of wrong rows; None leaves rewards alone
    counted   what n counts

    Notes `contrast`, the comparison, `contrast/similar`, the mean cosine of sampled and annotated chains, and
    `contrast/right`, that of the right ones.
    """
    if not 0 <= dropped < 1:
        raise UserError(f"dropped is a share of tokens, at least 0 and below 1; got {dropped}")

    def together(source: Source) -> Rollouts:
        drawn = collect(source)
        with source.runtime.gathered(), torch.no_grad():
            pools, states = _embedded(source, drawn, weighing, dropped)
        right = drawn.rewards >= solved
        count = drawn.mask.sum() if counted == "decisions" else drawn.mask.any(1).sum()
        toward, similar = _toward(source, drawn, states, right, comparison)
        drawn = drawn.fill(pools=pools, toward=toward * source.runtime.gather(count[None]).sum())
        return drawn if partial is None else _paid(drawn, similar, states[:, 3].any(1) & ~right, partial)

    return together


def _toward(
    source: Source, drawn: Rollouts, states: Float[Tensor, "N 5 H"], right: Tensor, comparison: Comparison
) -> tuple[Float[Tensor, "N 3 H"], Float[Tensor, "N"]]:
    """This process's share of the comparison's gradient, and the cosine of each row's chain with the annotated one."""
    everything, place = everyone(states, drawn, source.runtime)
    right, _ = everyone(right, drawn, source.runtime)
    some = everything.any(2)
    known, apart = some[:, 0] & some[:, 3], some[:, 1] & some[:, 2] & some[:, 4]
    own = everything[:, :3].clone().requires_grad_()
    with torch.enable_grad():
        whole, mine, others = own.unbind(1)
        annotated, missing = everything[:, 3], everything[:, 4]
        total = comparison(Chains(whole, mine, others, annotated, missing, right, known, apart))
        gradient = torch.autograd.grad(total, own)[0] if total.requires_grad else torch.zeros_like(own)
    cosine = (normalize(everything[:, 0], dim=1) * normalize(everything[:, 3], dim=1)).sum(1)
    source.notes["contrast"] = float(total.detach())
    if known.any():
        source.notes["contrast/similar"] = float(cosine[known].mean())
    if (known & right).any():
        source.notes["contrast/right"] = float(cosine[known & right].mean())
    return gradient[place], cosine[place]


def _paid(drawn: Rollouts, similar: Tensor, wrong: Tensor, partial: Partial) -> Rollouts:
    paid = partial.base + partial.similar * similar.to(drawn.rewards.dtype)
    rewards = torch.where(wrong & (drawn.rewards >= partial.formed), paid, drawn.rewards)
    return replace(drawn, filled={**drawn.filled, "rewards": rewards})


def _embedded(
    source: Source, drawn: Rollouts, weighing: Weighing, dropped: float
) -> tuple[Float[Tensor, "N 3 D"], Float[Tensor, "N 5 H"]]:
    """What the tokens of each row weigh in its three pooled states, and these with the two of its annotated chain.

    A few groups at a time, so that the states of no more rows exist at once.
    """
    size = max(_AT_ONCE // drawn.group, 1) * drawn.group
    some = [_some(source, drawn[first : first + size], weighing, dropped) for first in range(0, len(drawn), size)]
    pools, states = zip(*some, strict=True)
    return torch.cat(pools), torch.cat(states)


def _some(source: Source, rows: Rollouts, weighing: Weighing, dropped: float) -> tuple[Tensor, Tensor]:
    states = source.policy.states(rows)
    pools, found = states.new_zeros(len(rows), 3, states.shape[1]), states.new_zeros(len(rows), 5, states.shape[2])
    known = [row for row, problem in enumerate(rows.problems) if problem.lesson is not None]
    if not known:
        return pools, found
    taught = [row for row in known if row % rows.group == 0]  # the first of each group stands for it
    shown = source.policy.demonstrate([rows.problems[row] for row in taught], source.seed)
    of_shown, its_weigh = source.policy.states(shown), _weights(source.policy, shown, weighing)
    mine_weigh = _weights(source.policy, rows, weighing)
    for row in known:
        lesson = taught.index(row - row % rows.group)
        tokens, its_tokens = decided(rows.outputs[row]), decided(shown.outputs[lesson])
        kept = _kept(rows.problems[row], len(its_tokens), source, dropped)
        mine, its = map(set, common(tokens, its_tokens))
        whole = set(range(len(tokens)))
        parts = [pooled(mine_weigh[row], places, len(tokens)) for places in (whole, mine, whole - mine)]
        of_lesson = [pooled(its_weigh[lesson], places, len(its_tokens)) for places in (kept, kept - its)]
        pools[row] = torch.stack(parts)
        found[row, :3] = pools[row] @ states[row]
        found[row, 3:] = torch.stack(of_lesson).to(states.dtype) @ of_shown[lesson]
    return pools, found


def _weights(policy: Any, rows: Rollouts, weighing: Weighing) -> Float[Tensor, "N D"]:
    """What each decision's state weighs, before it is shared out."""
    if weighing == "mean":
        return torch.ones(rows.mask.shape, device=rows.mask.device)
    values = policy.value(rows)
    return (values - values.amax(1, keepdim=True)).exp()


def pooled(weight: Float[Tensor, "D"], places: set[int], length: int) -> Float[Tensor, "D"]:
    """The weights of these tokens of a chain of so many, which add up to 1: each at the decision that follows it.

    The last token has none; 0 everywhere where no token is left.
    """
    share = torch.zeros_like(weight)
    after = [place + 1 for place in sorted(places) if place + 1 < length]
    if after:
        share[after] = weight[after] / weight[after].sum()
    return share


def _kept(problem: Problem, length: int, source: Source, dropped: float) -> set[int]:
    """The tokens of the annotated chain that are not left out this time."""
    kept = uniform(row_keys([problem], 1, hashed("dropped", source.seed)), length)[0] >= dropped
    return set(kept.nonzero()[:, 0].tolist())


def decided(output: Any) -> list[int]:
    """What was decided in a row, as numbers: those that its output remembers, else the output itself."""
    return list(getattr(output, "tokens", output))


def common(one: Sequence[int], two: Sequence[int]) -> tuple[list[int], list[int]]:
    """The places of a longest common subsequence in each, read off from their ends."""
    first, second = np.array(one), np.array(two)
    longest = np.zeros((len(one) + 1, len(two) + 1), dtype=np.int64)
    for i, token in enumerate(first, 1):
        longest[i, 1:] = np.maximum.accumulate(np.maximum(longest[i - 1, 1:], longest[i - 1, :-1] + (second == token)))
    places: list[tuple[int, int]] = []
    i, j = len(one), len(two)
    while i and j:
        if one[i - 1] == two[j - 1]:
            i, j = i - 1, j - 1
            places.append((i, j))
        elif longest[i - 1, j] > longest[i, j - 1]:
            i -= 1
        else:
            j -= 1
    return [i for i, _ in places[::-1]], [j for _, j in places[::-1]]
