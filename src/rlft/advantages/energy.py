"""Credit from a target known up to its constant: P = pi_ref exp(r / beta), an energy-based model. No baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.advantages.group import everyone
from rlft.noise import hashed
from rlft.types import Rollouts, Runtime


def log_weight(rollouts: Rollouts, beta: float) -> Float[Tensor, "N"]:
    """log P/q of each row, P = pi_ref exp(r / beta) and q the policy that drew it; float64, NaN where unscored.

    Its exponential has the mean Z over q, whatever q is.
    """
    log_ratio = torch.where(rollouts.mask, rollouts.logp_ref - rollouts.logp_old, 0).sum(1)
    return log_ratio.double() + rollouts.rewards.double() / beta


class ImportanceWeight:
    """P / (Z q) of each row, the density of the target over that of the policy that drew it (arXiv:2012.11635).

    Z is the mean of P/q over all rows of the same problem so far, this step's included, the moving average of the
    paper's algorithm; a problem met once has the estimate of arXiv:2112.00791, its own group's. The same problem is the
    same `input`. The weights have mean 1 under q once Z is known, and are all 1 once q is the target.
    """

    def __init__(self, beta: float):
        self.beta = beta
        self.sums: dict[int, tuple[float, int]] = {}
        """By problem, the log of the sum of P/q, and how many rows were added."""

    def __call__(self, rollouts: Rollouts, runtime: Runtime) -> Float[Tensor, "N"]:
        log_weights, place = everyone(log_weight(rollouts, self.beta), rollouts, runtime)
        keys = torch.tensor([hashed(problem.input) for problem in rollouts.problems], dtype=torch.int64)
        problems, _ = everyone(keys.to(log_weights.device), rollouts, runtime)
        log_z = torch.full_like(log_weights, torch.nan)
        for problem in problems.unique().tolist():
            rows = problems == problem
            log_z[rows] = self._log_z(problem, log_weights[rows])
        return (log_weights - log_z).exp()[place].to(rollouts.logp_old.dtype)

    def _log_z(self, problem: int, log_weights: Tensor) -> float:
        """log Z with these rows added to those seen before."""
        scored = log_weights[~log_weights.isnan()]
        before, count = self.sums.get(problem, (-math.inf, 0))
        total = torch.logaddexp(scored.logsumexp(0), scored.new_tensor(before)).item() if len(scored) else before
        self.sums[problem] = total, count + len(scored)
        return total - math.log(max(count + len(scored), 1))

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {"sums": dict(self.sums)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the sums back."""
        self.sums = {problem: (total, count) for problem, (total, count) in state["sums"].items()}
