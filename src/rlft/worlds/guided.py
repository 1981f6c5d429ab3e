"""Digits and strings whose rows are guided while they are drawn: by values, by resampling, or the best of N."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rlft.guidance.samplers import best_of, smc, svdd, svdd_r
from rlft.guidance.values import Predicted, Value, fit
from rlft.models.denoiser import StateCritic
from rlft.models.token_denoiser import TokenCritic
from rlft.tasks.digits import CLASSES, Digits
from rlft.tasks.strings import ALPHABET
from rlft.types import Problem
from rlft.worlds import World
from rlft.worlds.digits import base, denoiser, inked
from rlft.worlds.letters import LENGTH, liked

Setting = Literal["digits", "strings", "motif", "hash"]
Sampler = Literal["base", "best_of", "smc", "svdd", "svdd_mc", "svdd_r"]


def guided(
    setting: Setting = "digits",
    sampler: Sampler = "svdd",
    width: int = 10,
    alpha: float = 0.01,
    iterations: int = 1500,
    fitting: int = 500,
    rollouts: int = 2048,
    seed: int = 0,
) -> World:
    """Guided samples of small diffusion models.

    Args:
        setting: digits with much ink; strings that a random network likes, with a rare motif, or with a high hash.
        sampler: the model itself, best-of-N, SMC, SVDD with predicted or regressed values, SVDD-R.
        width: the N of best-of-N, particles for each row, candidates of each step.
        alpha: temperature of the tilt, in the reward's unit.
        iterations: supervised steps of the base model.
        fitting: steps of the regression of values.
        rollouts: of the base model, on which values are regressed.
    """
    world = each_digit(iterations) if setting == "digits" else liked(setting, iterations)
    policy, reward = world.policy, world.reward
    value = Predicted(reward) if sampler != "svdd_mc" else _regressed(world, setting, rollouts, fitting, seed)
    guide = {
        "base": lambda: best_of(policy, reward, 1),
        "best_of": lambda: best_of(policy, reward, width),
        "smc": lambda: smc(policy, value, alpha=alpha, particles=width),
        "svdd": lambda: svdd(policy, value, alpha=alpha, candidates=width),
        "svdd_mc": lambda: svdd(policy, value, alpha=alpha, candidates=width),
        "svdd_r": lambda: svdd_r(policy, value, alpha=alpha, candidates=width),
    }[sampler]()
    return replace(world, deploy=guide, probes=[lambda policy: guide.spent.per_row()])


def _regressed(world: World, setting: Setting, rollouts: int, fitting: int, seed: int) -> Value:
    critic = StateCritic((8, 8), CLASSES) if setting == "digits" else TokenCritic(LENGTH, len(ALPHABET))
    asked = [world.train.at(index) for index in range(rollouts // 8)]
    return fit(critic, world.policy, asked, 8, world.reward, iterations=fitting, seed=seed)


def each_digit(iterations: int = 1500) -> World:
    """Digits with much ink, every class asked for equally often."""
    policy = denoiser(base(Digits("train"), iterations=iterations))
    return replace(inked(policy), test=EachDigit())


class EachDigit:
    """The ten classes in turn, so that every class is asked for equally often."""

    name, split, size = "each_digit", "test", None

    def at(self, index: int) -> Problem:
        """Asks for the digit index mod 10."""
        return Problem(index, index % CLASSES, task=self.name, split=self.split)
