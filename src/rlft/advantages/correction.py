"""Weights for rows that something else drew than what is trained: another engine, older weights. Not a ratio: they
have no gradient.

Three policies are told apart (decoupled PPO, Hilton et al. 2021, arXiv:2110.00641; AReaL, arXiv:2505.24298):

    μ      drew the row, `logp_drawn`: the engine, or the weights of some steps ago
    π_old  is the policy when the step begins, `logp_old`: the method's ratio π/π_old and its clip are to this
    π      is being moved

so a decision is corrected once for what happened before the step, by the weight w = π_old/μ, and once for what happens
in it, by the method's own ratio. Without weights a method's ratio may be π/μ instead, and corrects for both as far as
its clip lets it: then nothing here must be added to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.around import Around
from rlft.types import Credit, HasTeacher, Method, Rollouts, Runtime, UserError

Level = Literal["token", "row"]
"""Whose weight it is: each decision's own (a token, a denoising step), or the product over its row."""
Beyond = Literal["truncate", "mask"]
"""What becomes of a weight that is too large: it is the bound, or the decision (the row) teaches nothing."""


def importance_corrected(
    credit: Credit, most: float = 2.0, level: Level = "token", beyond: Beyond = "truncate"
) -> Credit:
    """A credit whose advantages are multiplied by bounded weights π_old/μ, which are the column `weight`.

        token, truncate   w_d = min(π_old(d)/μ(d), most)            truncated importance sampling (TIS)
        row, truncate     w_d = min(Π_e π_old(e)/μ(e), most)        sequence-level TIS
        mask              w = 0 instead, where it is above `most` or below 1/most (masked importance sampling)

    E_μ[w·A·∇log π] = E_π_old[A·∇log π] for rows as wholes with level "row", but for what the bound cuts off (Ionides
    2008, J. Comput. Graph. Stat. 17). Weights of single decisions leave the states as μ met them: they are biased, and
    vary far less, because a product of D ratios spreads as D grows. A decision that is masked still counts in the
    denominators of the loss, as one whose advantage is 0.

    Exact for losses in which a positive factor of the advantage is one of the loss: policy gradients, and PPO's clip.
    What a loss has beside the advantage, a KL or an entropy, is not weighed; nor are returns and other columns. Rows
    without `logp_drawn` came from the policy itself, and their advantages are `credit`'s.
    """
    if not most >= 1:
        raise UserError(f"the bound of a weight is at least 1, which rows of the policy's own have; got {most}")

    def corrected(rollouts: Rollouts, runtime: Runtime) -> Tensor | Mapping[str, Tensor]:
        columns = credit(rollouts, runtime)
        if not rollouts.has("logp_drawn"):
            return columns
        wide = rollouts.wide(columns)
        weight = bounded(weights(rollouts, level), most, beyond)
        return {**wide, "advantages": wide["advantages"] * weight, "weight": weight}

    return Around(corrected, credit)


def weights(rollouts: Rollouts, level: Level = "token") -> Float[Tensor, "N D"]:
    """π_old/μ of each decision, 1 off the mask; or of its whole row."""
    log_ratio = torch.where(rollouts.mask, rollouts.logp_old - rollouts.column("logp_drawn"), 0)
    if level == "row":
        log_ratio = log_ratio.sum(1, keepdim=True).expand_as(log_ratio)
    return log_ratio.exp()


def bounded(weight: Float[Tensor, "*S"], most: float, beyond: Beyond = "truncate") -> Float[Tensor, "*S"]:
    """min(w, most); or 0 for those outside [1/most, most]."""
    if beyond == "truncate":
        return weight.clamp(max=most)
    return torch.where((weight >= 1 / most) & (weight <= most), weight, 0)


def decoupled(method: Method, level: Level = "token", most: float = 2.0, beyond: Beyond = "truncate") -> Method:
    """The method for rows of older weights: its ratio is to the policy when the step begins, and its advantages are
    weighed for what has happened since the rows were drawn, see `importance_corrected`.

    With rows of the weights that learn it is the method itself. `UserError` for one whose loss does not weigh
    rows by advantages, where there is nothing to multiply.
    """
    if method.whole_groups or HasTeacher in method.needs:
        raise UserError(
            f"method {method.name} does not weigh rows by advantages (it compares rows, or imitates), so they cannot "
            "be corrected for the weights that drew them: give --staleness-correction none"
        )
    return replace(method, advantage=importance_corrected(method.advantage, most, level, beyond), drawn=True)
