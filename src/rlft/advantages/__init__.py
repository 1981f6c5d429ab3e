"""Credit: from rewards to advantages. Pure functions on `[P G]` or `[N D]`, and what lifts them to rollouts.

A NaN reward is a row that could not be scored. Statistics pass over it, and its advantage is NaN, which leaves the row
out of the update.
"""

from rlft.advantages.gae import gae, gae_scan, past_cuts, return_to_go
from rlft.advantages.group import (
    at_least,
    batch_baseline,
    batch_normalised,
    best_of,
    center,
    group_mean_batch_std,
    leave_one_out,
    overlong,
    per_batch,
    per_group,
    softmax,
    uniform,
    zscore,
)
from rlft.advantages.history import PromptStatistics
from rlft.advantages.shaping import kl_in_reward, rewards_of_decisions, whiten

__all__ = [
    "PromptStatistics",
    "at_least",
    "batch_baseline",
    "batch_normalised",
    "best_of",
    "center",
    "gae",
    "gae_scan",
    "group_mean_batch_std",
    "kl_in_reward",
    "leave_one_out",
    "overlong",
    "past_cuts",
    "per_batch",
    "per_group",
    "return_to_go",
    "rewards_of_decisions",
    "softmax",
    "uniform",
    "whiten",
    "zscore",
]
