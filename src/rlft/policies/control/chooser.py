"""Policies that pick one of K candidates, where K differs from choice to choice; and one that points at a place.

A candidate is known by a row of numbers, and a choice by a set of such rows. Not for tokens: K candidates are no
vocabulary, and the same number means another thing in every set.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlft.environments.searching import Choice
from rlft.models.mlp import MLP
from rlft.noise import normal, row_keys, uniform
from rlft.policies.control.heads import inverse
from rlft.types import Problem, Rollouts, UserError

# A lesson is the choices of an episode: what the candidates were, and the number of the right one, or a place.
Lesson = Sequence[tuple[Any, Any]]


class _Asked(nn.Module, ABC):
    """What is asked again and again until its episode is over.

    begin      an episode for a problem
    decisions  choices in an episode, at most
    features   numbers of a candidate

    trace: `candidates` [N D K F], `there` [N D K], `decision` [N D …]. outputs: what each episode came to. Forward
    passes run in float64 (see `models.mlp`), and each choice by itself, so a row does not depend on its neighbours.
    """

    def __init__(self, begin: Callable[[Problem], Choice], decisions: int) -> None:
        super().__init__()
        self.begin, self.decisions = begin, decisions

    @abstractmethod
    def drawn(self, rows: Sequence[np.ndarray], keys: Int[Tensor, "N"], decision: int, mode: bool) -> Tensor:
        """A decision for each set of candidates."""

    @abstractmethod
    def density(self, candidates: Tensor, there: Tensor, decision: Tensor) -> Float[Tensor, "N D"]:
        """Its log-probability, or log-density."""

    @abstractmethod
    def acted(self, episode: Choice, decision: Tensor) -> None:
        """The decision is carried out."""

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` episodes of each problem."""
        return self._played(problems, group, seed, mode=False)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """One forward pass over all choices; 0 without gradient off the mask."""
        trace = rollouts.trace
        found = self.density(trace["candidates"].double(), trace["there"], trace["decision"])
        return torch.where(rollouts.mask, found, 0).to(self.dtype)

    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """Rows, one per problem, whose decisions are those of `problem.lesson` (see `Lesson`)."""
        for problem in problems:
            if not problem.lesson or len(problem.lesson) > self.decisions:
                raise UserError(
                    f"problem {problem.index} has no demonstration: its answer is {problem.lesson!r:.60}, expected "
                    f"1 to {self.decisions} pairs of candidates [K F] and a decision"
                )
        seen = [[np.asarray(rows) for rows, _ in problem.lesson] for problem in problems]
        done = [[torch.as_tensor(decision) for _, decision in problem.lesson] for problem in problems]
        made = _rollouts(problems, 1, [problem.lesson for problem in problems], seen, done)
        return replace(made, logp_old=made.logp_old.to(self.dtype))

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """Negative log-likelihood of each decision."""
        return -self.log_prob(rollouts)

    def deterministic(self) -> Certain:
        """The same without noise."""
        return Certain(self)

    @torch.no_grad()
    def _played(self, problems: Sequence[Problem], group: int, seed: int, mode: bool) -> Rollouts:
        rows = [problem for problem in problems for _ in range(group)]
        keys = row_keys(problems, group, seed)
        episodes = [self.begin(problem) for problem in rows]
        seen: list[list[np.ndarray]] = [[] for _ in rows]
        done: list[list[Tensor]] = [[] for _ in rows]
        for decision in range(self.decisions):
            asked = {i: found for i, one in enumerate(episodes) if (found := one.candidates()) is not None}
            if not asked:
                break
            drawn = self.drawn(list(asked.values()), keys[list(asked)], decision, mode)
            for (i, rows_of), chosen in zip(asked.items(), drawn, strict=True):
                seen[i].append(rows_of)
                done[i].append(chosen)
                self.acted(episodes[i], chosen)
        made = _rollouts(rows, group, [one.outcome() for one in episodes], seen, done)
        return replace(made, logp_old=self.log_prob(made).detach())


class Chooser(_Asked):
    """A categorical distribution over the candidates of each choice.

        logit_k = f(x_k, mean_j x_j),   log π(k) = logit_k - logsumexp_j logit_j

    f is a network; the mean says what else there is (deep sets, Zaheer et al. 2017, arXiv:1703.06114), so the order of
    the candidates does not matter. A choice among one is certain.
    """

    def __init__(
        self, begin: Callable[[Problem], Choice], decisions: int, features: int, width: int = 64, seed: int = 0
    ) -> None:
        super().__init__(begin, decisions)
        self.net = MLP([2 * features, width, width, 1], seed, 0.01)

    def logits(self, candidates: Float[Tensor, "*N K F"], there: Bool[Tensor, "*N K"]) -> Float[Tensor, "*N K"]:
        """Of each candidate; -inf where there is none."""
        return self.net(_with_mean(candidates, there))[..., 0].masked_fill(~there, -math.inf)

    def drawn(self, rows: Sequence[np.ndarray], keys: Int[Tensor, "N"], decision: int, mode: bool) -> Tensor:
        """The numbers of candidates."""
        logits = self.logits(*_padded(rows))
        return logits.argmax(-1) if mode else inverse(logits, uniform(keys, torch.tensor([decision]))[:, 0])

    def density(self, candidates: Tensor, there: Tensor, decision: Tensor) -> Float[Tensor, "N D"]:
        """log π; off the mask whatever it is."""
        empty = ~there.any(-1, keepdim=True)  # a row of -inf has no softmax, and its gradient is not a number
        return self.logits(candidates, there | empty).log_softmax(-1).gather(-1, decision[..., None])[..., 0]

    def acted(self, episode: Choice, decision: Tensor) -> None:
        """Choose it."""
        episode.choose(int(decision))


class Pointer(_Asked):
    """A Gaussian over places: what one does without candidates to choose from.

        (x, y) ~ N(g(mean_k f(x_k)), std²)

    f and g are networks. The mode is what a regression by squared error to demonstrated places predicts.

    std  in the unit of places, fixed
    """

    def __init__(
        self,
        begin: Callable[[Problem], Choice],
        decisions: int,
        features: int,
        width: int = 64,
        seed: int = 0,
        std: float = 0.1,
    ) -> None:
        super().__init__(begin, decisions)
        self.each, self.all = MLP([2 * features, width, width], seed), MLP([width, width, 2], seed + 1, 0.01)
        self.std = std

    def centre(self, candidates: Float[Tensor, "*N K F"], there: Bool[Tensor, "*N K"]) -> Float[Tensor, "*N 2"]:
        """Where it points."""
        found = torch.tanh(self.each(_with_mean(candidates, there))) * there[..., None]
        return self.all(found.sum(-2) / there.sum(-1, keepdim=True).clamp(min=1))

    def drawn(self, rows: Sequence[np.ndarray], keys: Int[Tensor, "N"], decision: int, mode: bool) -> Tensor:
        """Places (x, y)."""
        centre = self.centre(*_padded(rows))
        return centre if mode else centre + self.std * normal(keys, torch.tensor([decision]), (2,))[:, 0]

    def density(self, candidates: Tensor, there: Tensor, decision: Tensor) -> Float[Tensor, "N D"]:
        """log N."""
        z = (decision - self.centre(candidates, there)) / self.std
        return (-0.5 * z.square() - math.log(self.std) - 0.5 * math.log(2 * math.pi)).sum(-1)

    def acted(self, episode: Choice, decision: Tensor) -> None:
        """Point there."""
        episode.point(*decision.tolist())


class Certain(nn.Module):
    """One of them that takes the most likely decision. Nothing is drawn, so its rows have mask False."""

    def __init__(self, policy: _Asked) -> None:
        super().__init__()
        self.policy = policy

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """The same episode `group` times for each problem."""
        made = self.policy._played(problems, group, seed, mode=True)
        return replace(made, mask=torch.zeros_like(made.mask), logp_old=torch.zeros_like(made.logp_old))


def _with_mean(candidates: Float[Tensor, "*N K F"], there: Bool[Tensor, "*N K"]) -> Float[Tensor, "*N K F2"]:
    mean = (candidates * there[..., None]).sum(-2, keepdim=True) / there.sum(-1)[..., None, None].clamp(min=1)
    return torch.cat([candidates, mean.expand_as(candidates)], dim=-1)


def _padded(rows: Sequence[np.ndarray]) -> tuple[Float[Tensor, "N K F"], Bool[Tensor, "N K"]]:
    most = max(map(len, rows))
    found = torch.zeros(len(rows), most, rows[0].shape[1], dtype=torch.float64)
    there = torch.zeros(len(rows), most, dtype=torch.bool)
    for i, one in enumerate(rows):
        found[i, : len(one)], there[i, : len(one)] = torch.from_numpy(one), True
    return found, there


def _rollouts(
    problems: Sequence[Problem],
    group: int,
    outputs: Sequence[Any],
    seen: Sequence[Sequence[np.ndarray]],
    done: Sequence[Sequence[Tensor]],
) -> Rollouts:
    """Rows of what was seen and done, padded to as many choices and candidates as any has; one choice at least."""
    choices = max(1, *map(len, done))
    kinds = [one for row in done for one in row]
    some = [one for row in seen for one in row]
    if not some:
        raise UserError("no episode asked for a choice: is the goal in sight from every start?")
    most, size = max(map(len, some)), some[0].shape[1]
    candidates = torch.zeros(len(problems), choices, most, size, dtype=torch.float64)
    there = torch.zeros(len(problems), choices, most, dtype=torch.bool)
    decision = torch.zeros(len(problems), choices, *kinds[0].shape, dtype=kinds[0].dtype)
    mask = torch.zeros(len(problems), choices, dtype=torch.bool)
    for i, (found, taken) in enumerate(zip(seen, done, strict=True)):
        for d, (one, chosen) in enumerate(zip(found, taken, strict=True)):
            candidates[i, d, : len(one)] = torch.from_numpy(one)
            there[i, d, : len(one)] = True
            decision[i, d], mask[i, d] = chosen, True
    trace = {"candidates": candidates, "there": there, "decision": decision}
    return Rollouts(tuple(problems), group, outputs, trace, mask, torch.zeros(mask.shape))
