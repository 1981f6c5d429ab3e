"""GAE with one lambda for the actor, which may depend on a row's length, and another for the critic's returns."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlft.advantages.around import Around
from rlft.advantages.gae import gae_scan, past_cuts
from rlft.advantages.shaping import rewards_of_decisions, whiten
from rlft.types import Credit, Rollouts, Runtime, UserError


def length_adaptive(length: Int[Tensor, "N"], alpha: float) -> Float[Tensor, "N"]:
    """lambda = 1 - 1/(alpha l), VAPO's (arXiv:2504.05118), at least 0.

    The weights of GAE add up to about 1/(1 - lambda) = alpha l, so that a long row's errors reach as far back, as a
    share of it, as a short one's. Rows of up to 1/alpha decisions have 0.
    """
    if alpha <= 0:
        raise UserError(f"alpha is the share of a row that GAE's weights add up to, above 0; got {alpha}")
    return (1 - 1 / (alpha * length.clamp(min=1))).clamp(min=0)


def decoupled_gae(
    gamma: float, lam: float | None, critic_lam: float, alpha: float, beta: float = 0.0, normalise: bool = True
) -> Credit:
    """As `advantages.gae`, with returns of their own: those of GAE with `critic_lam` (VC-PPO, arXiv:2503.01491).

    lam          of the advantages; None is `length_adaptive(length, alpha)`, a row's length being its own decisions
    critic_lam   of the returns; 1 fits the critic to what came out, without its own estimates

    With lam = critic_lam it is `gae`, to the bit.
    """

    def credit(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        mask, told = rollouts.mask, rewards_of_decisions(rollouts, beta)
        own = length_adaptive(mask.sum(1), alpha) if lam is None else lam

        def scanned(lam: float | Tensor) -> Tensor:
            return gae_scan(past_cuts(told, rollouts, gamma, lam, runtime), rollouts.values, mask, gamma, lam)

        advantages = scanned(own)
        returns = torch.where(mask, scanned(critic_lam) + rollouts.values, 0)
        if normalise:
            advantages = whiten(advantages, mask, runtime)
        return {"advantages": advantages, "returns": returns}

    return credit


def with_solved(credit: Credit, solved: float) -> Credit:
    """A credit whose rows that reach the reward `solved` are to be imitated too: VAPO's positive examples.

    `emphasis` is (decisions of the batch) / (decisions of those rows) at each of their decisions and 0 elsewhere, so
    that the mean over all decisions of emphasis · x is the mean of x over theirs. All processes count together. Without
    such a row it is 0 everywhere.
    """

    def marked(rollouts: Rollouts, runtime: Runtime) -> dict[str, Tensor]:
        columns = rollouts.wide(credit(rollouts, runtime))
        on: Bool[Tensor, "N D"] = rollouts.mask & columns["advantages"].isfinite()
        right = on & (rollouts.rewards >= solved)[:, None]
        counts = torch.stack([on.sum(), right.sum()]).double()
        runtime.sum_([counts])
        share = (counts[0] / counts[1].clamp(min=1)).to(columns["advantages"])
        return {**columns, "emphasis": torch.where(right, share, 0)}

    return Around(marked, credit)
