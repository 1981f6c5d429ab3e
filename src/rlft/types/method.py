"""A published method as a value, and what it is made of: losses, updates, credit, rewards. Computes nothing."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from rlft.types.capabilities import actor_parameters
from rlft.types.rows import Problem, Rollouts
from rlft.types.runtime import Runtime, Source, Stateful


class Total(NamedTuple):
    """A loss before division: a sum, the weight it is to be shared over, and what to log (means, maxima).

    Only the optimiser step divides, after adding up micro-batches and processes, so neither changes the gradient.
    """

    sum: Tensor
    weight: Tensor
    means: Mapping[str, tuple[Tensor, Tensor]] = {}
    peaks: Mapping[str, Tensor] = {}


class Blame(NamedTuple):
    """A passage of an output, its characters from `begin` to before `end`, and how wrong a critic finds it, 0 to 1."""

    begin: int
    end: int
    share: float


class Parts(dict[str, Tensor]):
    """Named parts of a reward, which add up, and in `watch` numbers of each row that are recorded and do not.

    `blame` has of each row what a critic finds wrong in it, for a method that gives credit by that; it pays nothing.
    """

    def __init__(
        self,
        parts: Mapping[str, Tensor],
        watch: Mapping[str, Tensor],
        blame: Sequence[Sequence[Blame]] | None = None,
    ):
        super().__init__(parts)
        self.watch = dict(watch)
        self.blame = None if blame is None else [list(row) for row in blame]


Reward = Callable[[Sequence[Problem], Any], Any]
"""`(problems, outputs) -> [N]` or `[N, D]`, over the whole batch, group-major; or a dict of named parts, which add."""

Measure = Callable[[Sequence[Problem], Any], Mapping[str, float]]
"""`(problems, outputs) -> {name: value}`: what a reward does not see, over the whole batch."""


class Through(NamedTuple):
    """What a loss that looks past likelihoods is given besides the policy and the rows.

    reward     `(problems, outputs) -> [N]`, with the gradient of the outputs; NaN where it cannot score a row
    reference  the policy that a distance is measured to; None where the method asks for none
    """

    reward: Callable[[Sequence[Problem], Any], Tensor]
    reference: Any


Loss = Callable[..., Total]
"""`(policy, rollouts) -> Total`; of a method with `pathwise` `(policy, rollouts, Through) -> Total`."""


Credit = Callable[[Rollouts, Runtime], Tensor | Mapping[str, Tensor]]
"""Advantages as [N] or [N, D], or a dict of columns with `advantages` among them. NaN marks rows to leave out."""


Collect = Callable[[Source], Rollouts]


@dataclass(frozen=True)
class Update:
    """One optimiser and what it minimises: `loss` over `parameters(policy)`, at every `every`-th minibatch.

    `lr` is this optimiser's learning rate relative to the Trainer's.
    """

    loss: Loss
    parameters: Callable[[Any], list[torch.nn.Parameter]] = actor_parameters
    name: str = "policy"
    every: int = 1
    lr: float = 1.0


@dataclass(frozen=True)
class Method:
    """A published method as a value. Make one with a function of `methods/`, or your own, marked `@published`.

    advantage    credit: rewards to advantages
    updates      what is minimised; `loss=` of most methods is one Update over all parameters
    collect      where rollouts come from; None draws one batch
    reference    the loss or the advantage reads `logp_ref`
    critic       the advantage reads `values`
    pathwise     losses are given `Through` besides, and may differentiate the reward; no decision needs a likelihood
    drawn        the advantage reads `logp_drawn`: of rows of older weights `logp_old` is then the policy's as it is
    epochs       passes over each batch
    minibatches  optimiser steps in one pass
    min_group    the least G with which the method makes sense
    whole_groups the loss compares rows of a group, so no batch may split one
    anew         once a step's rows are drawn, weights and optimisers are put back to where the run began
    needs        capabilities of the policy, besides `sample` and `log_prob`
    name         the name of the function that made it, and `settings` its arguments; `published` fills them in
    """

    advantage: Credit
    updates: tuple[Update, ...]
    collect: Collect | None = None
    reference: bool = False
    critic: bool = False
    pathwise: bool = False
    drawn: bool = False
    epochs: int = 1
    minibatches: int = 1
    min_group: int = 1
    whole_groups: bool = False
    anew: bool = False
    needs: tuple[type, ...] = ()
    name: str = "a method of your own"
    settings: Mapping[str, Any] = field(default_factory=dict)


def unused(method: Method) -> Method:
    """The method with copies of its parts that remember: runs that are made of one value share no memory."""
    parts = {name: part for name in ("advantage", "collect") if isinstance(part := getattr(method, name), Stateful)}
    return replace(method, **{name: copy.deepcopy(part) for name, part in parts.items()})


Make = TypeVar("Make", bound=Callable[..., Any])


def published(function: Make) -> Make:
    """Let the Method (or OffPolicy) that a function returns remember its name and the arguments it was made with."""

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        return replace(function(*args, **kwargs), name=function.__name__, settings=dict(bound.arguments))

    return cast(Make, made)
