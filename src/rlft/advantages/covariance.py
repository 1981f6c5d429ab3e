"""Which decisions move the entropy most: the covariance of log-probability and advantage, decision by decision.

Cui et al. 2025, "The Entropy Mechanism of Reinforcement Learning", arXiv:2505.22617: the entropy of a softmax policy
falls in a step by about the covariance of log pi and the advantage, and a few decisions make up nearly all of it.

    Cov_d = (log pi_old(d) - mean log pi_old) (A_d - mean A)       means over all decisions of the batch

The authors take it in each forward pass, from the policy as it is there. Here it is taken once, from the policy that
drew the rows and over the batches of all processes, so that how a batch is cut chooses nothing; at the first update of
a step the two policies are one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from rlft.advantages.around import Around
from rlft.advantages.group import everyone
from rlft.noise import row_keys, uniform
from rlft.types import Credit, Rollouts, Runtime, UserError

Choice = Callable[[Tensor, Tensor], Tensor]
"""`(covariance, noise) -> [M D]` of numbers, of all processes' rows: higher ones are singled out first, -inf never."""


def covariance(
    logp: Float[Tensor, "M D"], advantages: Float[Tensor, "M D"], on: Bool[Tensor, "M D"]
) -> Float[Tensor, "M D"]:
    """(log pi - mean) (A - mean) of each decision, the means over those where `on`; 0 elsewhere."""

    def centred(values: Tensor) -> Tensor:
        kept = torch.where(on, values, 0)
        return torch.where(on, kept - kept.sum() / on.sum().clamp(min=1), 0)

    return centred(logp) * centred(advantages)


def most_covariant(credit: Credit, share: float) -> Credit:
    """A credit that singles out this share of the decisions, those whose covariance is highest, for KL-Cov."""
    return _emphasised(credit, share, lambda cov, noise: cov)


def random_covariant(credit: Credit, share: float, lower: float, upper: float) -> Credit:
    """A credit that singles out this share of the decisions, drawn from those with lower < Cov < upper, for Clip-Cov.

    The draw belongs to the row, whoever holds it. If fewer decisions lie between the bounds, those.
    """
    return _emphasised(credit, share, lambda cov, noise: torch.where((cov > lower) & (cov < upper), noise, -torch.inf))


def _emphasised(credit: Credit, share: float, choice: Choice) -> Credit:
    """`emphasis` 1 at the chosen decisions, the whole part of share · decisions of the batch, but 1 at least."""
    if not 0 <= share <= 1:
        raise UserError(f"share is the part of a batch's decisions that is singled out, from 0 to 1; got {share}")

    def marked(rollouts: Rollouts, runtime: Runtime) -> Mapping[str, Tensor]:
        columns = rollouts.wide(credit(rollouts, runtime))
        on = rollouts.mask & columns["advantages"].isfinite()
        widest = int(runtime.gather(torch.tensor([on.shape[1]])).max())
        keys = row_keys(rollouts.problems[:: rollouts.group], rollouts.group, seed=0, device=on.device)
        noise = uniform(keys, on.shape[1])
        own = (rollouts.logp_old.double(), columns["advantages"].double(), on, noise)
        # in the order of the batch, so that every process breaks ties alike
        parts = [everyone(pad(column, (0, widest - on.shape[1])), rollouts, runtime) for column in own]
        (logp, advantages, everywhere, noise), place = [part for part, _ in parts], parts[0][1]
        ranked = choice(covariance(logp, advantages, everywhere), noise).masked_fill(~everywhere, -torch.inf)
        count = max(int(share * int(everywhere.sum())), 1) if share else 0
        best = ranked.flatten().argsort(descending=True, stable=True)[:count]
        chosen = torch.zeros_like(ranked).flatten().index_fill(0, best, 1.0).reshape(ranked.shape)
        chosen = torch.where(ranked.isneginf(), 0.0, chosen)[place][:, : on.shape[1]]
        return {**columns, "emphasis": chosen.to(columns["advantages"])}

    return Around(marked, credit)
