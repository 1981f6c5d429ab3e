"""Vines: a batch whose groups start at several places of the same rows. Not a tree: a branch is not branched again."""

from __future__ import annotations

import torch

from rlft.types import Collect, Rollouts, Source, UserError


def vines(points: int) -> Collect:
    """Groups from `points` equally spaced decisions of a row, the first of them its start (arXiv:2509.25424, Alg. 2).

    P/points problems are drawn, G rows of each. The first row of each problem is the stem: it is continued G times from
    its decision k·length // points, k = 1 … points - 1, with the policy's capability `Resumable`. So the step has P
    groups, as with any other method, and a row of a vine costs only the decisions after its branch; those before it are
    not on the mask. Degenerates into `one_batch` for points = 1.

    Groups stand in the batch by point, then by problem. Raises `UserError` unless `points` divides P.
    """
    if points < 1:
        raise UserError(f"points must be at least 1, the start; got {points}")

    def collect(source: Source) -> Rollouts:
        problems, rest = divmod(source.prompts, points)
        if rest:
            raise UserError(
                f"{source.prompts} groups a step cannot be {points} of each problem: make prompts a multiple"
            )
        drawn = source.draw(problems)
        if points == 1:
            return drawn
        stems = drawn[:: drawn.group]
        groups = stems.position // drawn.group
        branch = torch.arange(1, points, device=groups.device)[:, None]
        at = branch * stems.mask.sum(1) // points
        again = stems[torch.arange(len(stems)).repeat(points - 1)]
        again = again.place((branch * problems + groups).flatten())
        return Rollouts.concat([drawn, source.resume(again, at.flatten(), drawn.group)])

    return collect
