"""Worlds: all of a small experiment but the method and its numbers. Who answers what, what is earned, what is measured.

A world is a function of its own settings that returns a `World`, or a `Ground` where a policy acts step by step and
learns from a buffer; `rlft.recipes` makes a run of it. Worlds know policies, tasks, rewards and measures; they know no
method, no Trainer and no claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlft.environments.protocol import Environment, Episode
from rlft.types import Measure, Method, Reward, Sampler, Task


def unchanged(method: Method) -> Method:
    """The method as it is."""
    return method


@dataclass(frozen=True)
class World:
    """What a run is made of besides its method.

    policy     what is trained; what it was before is the reference
    train      problems to learn from
    test       held-out problems
    reward     what is learned from
    judged     what held-out problems are scored by; None is the reward
    measures   what the reward cannot see, at evaluations
    watched    the same, at every step of training
    deploy     what is evaluated; None is the policy itself
    probes     numbers read off the policy itself at every evaluation
    problems   how many held-out problems, None all, and
    samples    rollouts of each, where the recipe has no such numbers
    adapted    the method as it is used here: told what counts as the same behaviour, say
    sharing    how many learn together in the policy; each has its share of the recipe's rollouts of a problem
    """

    policy: Any
    train: Task
    test: Task
    reward: Reward
    judged: Reward | None = None
    measures: Sequence[Measure] = ()
    watched: Sequence[Measure] = ()
    deploy: Sampler | None = None
    probes: Sequence[Callable[[Any], Mapping[str, float]]] = ()
    problems: int | None = None
    samples: int = 1
    adapted: Callable[[Method], Method] = unchanged
    sharing: int = 1


@dataclass(frozen=True)
class Ground:
    """What the run of a Learner is made of besides its method and its phases; held-out starts are the environment's.

    policy       what is trained
    environment  where it acts, and what pays it
    data         episodes that are given
    measures     what the reward cannot see, at evaluations
    probes       numbers read off the policy itself at every evaluation
    """

    policy: Any
    environment: Environment
    data: Sequence[Episode] = ()
    measures: Sequence[Measure] = ()
    probes: Sequence[Callable[[Any], Mapping[str, float]]] = ()
