"""Digits asked for in words that each earn a constant of their own and that the model, badly taught, does not hear.

A prompt is a digit in some wording: of `few` there are ten and they come back, of `many` none comes twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlft.measure.images import frechet_to, judge_accuracy
from rlft.models.digits_judge import digits_judge
from rlft.noise import hashed
from rlft.rewards.images import target_class
from rlft.tasks.digits import CLASSES, Digits
from rlft.types import Problem
from rlft.worlds import World
from rlft.worlds.digits import base, denoiser

# Wordings of a digit: those of the test split are others than those of the training split.
_WORDINGS = 2**14


def worded(setting: Literal["few", "many"], spread: float, pretraining: int, critic: bool = False) -> World:
    """Digits asked for in `few` or `many` words; the constants' standard deviation over them is `spread`."""
    train, test = Digits("train"), Digits("test")
    judge, unseen = digits_judge(train.images, train.labels), digits_judge(test.images, test.labels, seed=1)
    policy = denoiser(Deaf(base(train, 0.65, pretraining)), classes=CLASSES * 2 * _WORDINGS, critic=critic)
    asked, read, apart = target_class(judge), judge_accuracy(unseen), frechet_to(unseen, test.images)

    def unshifted(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        return asked(plain(problems), images)

    def shifted(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        return unshifted(problems, images) + spread * constants(problems).to(images)

    def measure(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> dict[str, float]:
        found = dict(read(plain(problems), images))
        return {**found, **apart(problems, images), "score": found["judge/accuracy"]}

    return World(policy, Worded(setting), Worded(setting, "test"), shifted, judged=unshifted, measures=[measure])


class Worded:
    """Digits asked for in words: `input` is the digit plus ten times the number of the wording.

    Of `many` no prompt comes twice in 16384; with `few` every digit has one wording.
    """

    size = None

    def __init__(self, setting: Literal["few", "many"], split: str = "train"):
        self.name, self.setting, self.split = "worded", setting, split

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        digit = hashed("worded", self.setting, self.split, index) % CLASSES
        wording = 0 if self.setting == "few" else index % _WORDINGS + _WORDINGS * (self.split == "test")
        return Problem(index, digit + CLASSES * wording, task=self.name, split=self.split)


class Deaf(nn.Module):
    """A denoiser of digits that is told the digit of a prompt and not its wording."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(
        self, x: Float[Tensor, "N *S"], t: Float[Tensor, "N"], label: Int[Tensor, "N"]
    ) -> Float[Tensor, "N *S"]:
        """What the net says."""
        return self.net(x, t, label % CLASSES)


def plain(problems: Sequence[Problem]) -> list[Problem]:
    """The problems with the digit alone as input."""
    return [replace(problem, input=problem.input % CLASSES) for problem in problems]


def constants(problems: Sequence[Problem]) -> Float[Tensor, "N"]:
    """What each prompt is paid besides: uniform over prompts, with mean 0 and standard deviation 1."""
    places = [hashed("constant", problem.input) % 2**20 / 2**20 for problem in problems]
    return math.sqrt(12) * (torch.tensor(places) - 0.5)
