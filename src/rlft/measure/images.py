"""What a reward on images cannot see: is it still the digit, how far from real data, how different from each other.

Each function here makes a measure, `(problems, outputs) -> {name: number}`, as a Trainer logs it. A judge that also
gives the reward sees what the reward sees: measure with another, trained on other images.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlft.measure.distribution import frechet_distance
from rlft.models.digits_judge import Judge
from rlft.types import Measure, Problem, UserError


def judge_accuracy(judge: Judge) -> Measure:
    """`judge/accuracy`: the share of images that the judge takes for the class that was asked for."""

    @torch.no_grad()
    def measure(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> dict[str, float]:
        if any(problem.input is None for problem in problems):
            raise UserError("judge_accuracy is for class-conditional problems, and some here name no class")
        asked = torch.tensor([problem.input for problem in problems], device=images.device)
        return {"judge/accuracy": float((judge(images).argmax(dim=-1) == asked).double().mean())}

    return measure


def frechet_to(judge: Judge, reference: Float[Tensor, "M *S"]) -> Measure:
    """`frechet`: the Fréchet distance to these images in the judge's 64 features.

    Has a floor above 0: that of two sets of real images. Few rows raise it; compare equal numbers of rows only.
    """
    with torch.no_grad():
        theirs = judge.features(reference)

    @torch.no_grad()
    def measure(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> dict[str, float]:
        return {"frechet": frechet_distance(judge.features(images), theirs)}

    return measure


def diversity_within(judge: Judge) -> Measure:
    """`diversity`: the mean distance of the judge's features between two rows of one problem, over problems with two
    rows or more; NaN if there is none."""

    @torch.no_grad()
    def measure(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> dict[str, float]:
        groups: dict[tuple, list[int]] = {}
        for row, problem in enumerate(problems):
            groups.setdefault(problem.key, []).append(row)
        features = judge.features(images).double()
        spread = [torch.pdist(features[rows]).mean() for rows in groups.values() if len(rows) > 1]
        return {"diversity": float(torch.stack(spread).mean()) if spread else float("nan")}

    return measure


def variety_of_right(
    judge: Judge, reference: Float[Tensor, "M *S"], labels: Int[Tensor, "M"], count: int = 40, near: int = 5
) -> Measure:
    """How varied images are that the judge takes for the class that was asked for, in its features; means over classes.

        diversity/right   the mean distance between two of them
        coverage          the share of a class's reference images that have one of them nearer than their `near`-th
                          neighbour among themselves (Naeem et al. 2020, arXiv:2002.09797, Eq. 7)

    The first `count` of each class count, so drawing the right class more often changes neither by itself; a class with
    fewer is left out, and NaN is that all are. What looks like no real image is far from others: the first rises where
    a model decays, but such images cover nothing.
    """
    with torch.no_grad():
        known = [judge.features(reference[labels == digit]).double() for digit in range(int(labels.max()) + 1)]
    # its own distance, 0, is the first
    reach = [torch.cdist(real, real).kthvalue(near + 1, dim=1).values for real in known]

    @torch.no_grad()
    def measure(problems: Sequence[Problem], images: Float[Tensor, "N *S"]) -> dict[str, float]:
        seen, features = judge(images).argmax(dim=-1).tolist(), judge.features(images).double()
        right = [row for row, (problem, digit) in enumerate(zip(problems, seen, strict=True)) if problem.input == digit]
        apart, covered = [], []
        for digit, (real, radius) in enumerate(zip(known, reach, strict=True)):
            drawn = features[[row for row in right if seen[row] == digit][:count]]
            if len(drawn) == count:
                apart.append(torch.pdist(drawn).mean())
                covered.append((torch.cdist(real, drawn).amin(dim=1) < radius).double().mean())
        found = {"diversity/right": apart, "coverage": covered}
        return {name: float(torch.stack(each).mean()) if each else float("nan") for name, each in found.items()}

    return measure
