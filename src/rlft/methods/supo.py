"""SUPO: summarisation-augmented policy optimisation. Lu et al. 2025, arXiv:2510.06727.

GRPO on rows that outlive their working context: where it is full, the policy sums up what was said and goes on from the
task and its summary. A row τ is then segments τ_0 … τ_I, each read in a context of its own, summaries included, and

    ∇ log p(τ) = sum_i ∇ log p(τ_i | its context)
    A_i        = A(τ) = (R(τ) - mean R) / std R         over the G rows of a problem, however many segments they have
    loss       = GRPO's clipped surrogate over the decisions of all segments of a row

A row that ended without an answer within its turns and summaries is in the mean and has no gradient. The contexts are
the policy's affair: a `Conversation` with a `Window`. Where no row sums up and none is truncated it
is `grpo`, but for the population's deviation.
"""

from dataclasses import replace
from functools import partial
from typing import Literal

from rlft.advantages import per_group, zscore
from rlft.advantages.turns import per_segment, without_summaries, without_unfinished
from rlft.methods.grpo import grpo
from rlft.types import Method, published


@published
def supo(
    clip: float = 0.2,
    beta: float = 0.0,
    normalise: Literal["rollouts", "segments"] = "rollouts",
    trained: Literal["all", "turns"] = "all",
    epochs: int = 1,
    minibatches: int = 1,
) -> Method:
    """SUPO.

    Args:
        clip: how far the ratio may move from 1.
        beta: weight of the KL to the reference, per decision; 0 needs no reference.
        normalise: what mean and deviation are taken over; the paper's ablation counts a row once for each segment.
        trained: all that the policy writes, or, as an ablation, turns without the summaries.
        epochs: passes over each batch.
        minibatches: optimiser steps in each pass.
    """
    lift = {"rollouts": per_group, "segments": per_segment}[normalise]
    credit = without_unfinished(lift(partial(zscore, correction=0)))
    plain = grpo(clip, beta, epochs, minibatches)
    return replace(plain, advantage=credit if trained == "all" else without_summaries(credit))
