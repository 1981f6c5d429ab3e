"""Rewards for small images and for points: plain callables on a whole batch. They know no policy and no classifier.

A `judge` is any function from images to the logits of ten classes, such as `models.digits_judge.digits_judge`. Pixels
run from -1 (paper) to 1 (ink); what lies outside counts as the nearest of the two, so that no reward is without bound.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.types import Problem, UserError

ImageReward = Callable[[Sequence[Problem], Tensor], Tensor]
Judge = Callable[[Tensor], Tensor]


def ink(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
    """Mean brightness in [-1, 1]; differentiable inside the range. Easily hacked: a full page of ink earns 1."""
    return images.clamp(-1, 1).flatten(1).mean(dim=1)


def file_size(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
    """Bytes of the image at 17 grey levels (the data's own) after zlib at its highest level; 11 of them are its frame.

    The stand-in for DDPO's JPEG size in kilobytes (Black et al. 2023, arXiv:2305.13301, Sec. 5.1).
    """
    grey = ((images.clamp(-1, 1) + 1) * 8).round().to(torch.uint8).flatten(1).cpu().numpy()
    return torch.tensor([len(zlib.compress(row.tobytes(), 9)) for row in grey], dtype=torch.float32)


def compressibility(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
    """-`file_size`, in bytes."""
    return -file_size(problems, images)


def target_class(judge: Judge) -> ImageReward:
    """The judge's probability of the class that was asked for; differentiable."""

    def reward(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        return judge(images).softmax(dim=-1).gather(1, _asked(problems, images)[:, None])[:, 0]

    return reward


def judge_match(judge: Judge) -> ImageReward:
    """1 where the judge sees the class that was asked for, else 0."""

    def reward(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        return (judge(images).argmax(dim=-1) == _asked(problems, images)).float()

    return reward


def offset(reward: ImageReward, by_class: Sequence[float]) -> ImageReward:
    """The reward plus a constant for each class: nothing to gain, but a baseline that mixes classes drowns in it."""

    def shifted(problems: Sequence[Problem], outputs: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        earned = reward(problems, outputs)
        return earned + torch.tensor(by_class).to(earned)[_asked(problems, earned)]

    return shifted


def near(mark: Sequence[float]) -> ImageReward:
    """-½·|x - mark|². With a KL of weight β the best policy is p(x)·exp(-|x - mark|²/2β)/Z: Gaussian, if p is."""
    where = torch.tensor(mark)

    def reward(problems: Sequence[Problem], points: Float[Tensor, "N 2"]) -> Float[Tensor, "N"]:
        return -(points - where.to(points)).square().sum(dim=1) / 2

    return reward


def _asked(problems: Sequence[Problem], like: Tensor) -> Tensor:
    for problem in problems:
        if not isinstance(problem.input, int):
            raise UserError(
                f"this reward is for class-conditional problems, and problem {problem.index} names no class"
            )
    return torch.tensor([problem.input for problem in problems], device=like.device)
