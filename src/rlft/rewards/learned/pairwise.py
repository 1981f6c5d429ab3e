"""A judge of pairs of pictures (or of any tensors) fitted to pairs, and as a reward that can be differentiated.

What is compared with may be a real picture of the same prompt. Reads no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from rlft.errors import UserError
from rlft.losses.preference import bradley_terry
from rlft.metrics.calibration import temperature
from rlft.models.pair_judge import PairJudge
from rlft.noise import hashed
from rlft.rewards.learned.fitting import Fitted, Fitting, descend, parts_of
from rlft.types import Problem, Reward


@dataclass(frozen=True)
class Pairs:
    """Pairs of which the first is better.

    better, worse   [M *S]
    asked           [M …] what the network is told of the prompt: a class, an embedding
    group           [M] pairs that share a picture or prompt have one number, and are held out together
    """

    better: Float[Tensor, "M *S"]
    worse: Float[Tensor, "M *S"]
    asked: Shaped[Tensor, "M *Y"]
    group: Shaped[Tensor, "M"]

    def __getitem__(self, rows: Tensor) -> Pairs:
        return Pairs(self.better[rows], self.worse[rows], self.asked[rows], self.group[rows])

    def __len__(self) -> int:
        return len(self.better)


def fit_pairs(
    judge: PairJudge, pairs: Pairs, told: Fitting = Fitting(), augment: Callable[[Tensor], Tensor] | None = None
) -> Fitted:
    """Fit a judge by maximum likelihood, the loss -log R(better, worse, asked), and calibrate it by a temperature.

    `told.held_out` of the groups are kept back, half of them to calibrate on and half for the numbers that are
    returned; `augment` changes pictures in training alone, by noise say. In place. `UserError` where nothing is left to
    learn from.
    """
    places = torch.tensor(parts_of([int(group) for group in pairs.group.tolist()], told.held_out), dtype=torch.long)
    learned, calibrated, measured = (pairs[(places == part).nonzero()[:, 0]] for part in range(3))
    if not len(learned):
        raise UserError(f"held_out={told.held_out} leaves none of {len(pairs)} pairs to learn from")
    judge.temperature.fill_(1)
    _learn(judge, learned, told, augment or (lambda pictures: pictures))
    judge.requires_grad_(False)
    scale = temperature(*_of(judge, calibrated)) if len(calibrated) else 1.0
    logits, labels = _of(judge, measured if len(measured) else learned)
    judge.temperature.fill_(scale)
    return Fitted.of(len(learned), len(calibrated), len(measured) > 0, logits, labels, scale)


def _learn(judge: PairJudge, pairs: Pairs, told: Fitting, augment: Callable[[Tensor], Tensor]) -> None:
    batches = [batch for epoch in range(told.epochs) for batch in _batches(len(pairs), told, epoch)]

    def loss(rows: Pairs) -> Tensor:
        logits = judge(augment(rows.better), augment(rows.worse), rows.asked)
        return bradley_terry(logits, torch.zeros_like(logits)).mean()

    descend(judge, (loss(pairs[batch]) for batch in batches), len(batches), told.lr)


def _batches(count: int, told: Fitting, epoch: int) -> Iterator[Tensor]:
    order = torch.randperm(count, generator=torch.Generator().manual_seed(hashed("pairs", told.seed, epoch)))
    return iter(order.split(told.batch))


@torch.no_grad()
def _of(judge: PairJudge, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Two logits of each pair, in one order or the other, and which is better.

    In one order alone 0 would always be right, and a temperature would only say how often the judge is.
    """
    flipped = torch.arange(len(pairs)) % 2
    logit = judge(pairs.better, pairs.worse, pairs.asked) * (1 - 2 * flipped)
    return torch.stack([logit, torch.zeros_like(logit)], dim=1), flipped


def preferred(
    judge: PairJudge,
    over: Callable[[Sequence[Problem]], Tensor] | None = None,
    asked: Callable[[Sequence[Problem]], Tensor] | None = None,
) -> Reward:
    """R(output, another picture, asked): the judge's probability that an output is better; differentiable.

    over    what each is compared with [N *S]; by default the problem's answer, a real picture of the same prompt
    asked   what the judge is told of the prompt; by default the problem's input, a class
    """

    def reward(problems: Sequence[Problem], outputs: Float[Tensor, "N *S"]) -> Float[Tensor, "N"]:
        other = (over or _answers)(problems).to(outputs)
        return judge(outputs, other, (asked or _inputs)(problems).to(outputs.device)).sigmoid()

    return reward


def _answers(problems: Sequence[Problem]) -> Tensor:
    if any(not isinstance(problem.answer, Tensor) for problem in problems):
        raise UserError("the judge compares with a problem's answer, and some here have no picture for one")
    return torch.stack([problem.answer for problem in problems])


def _inputs(problems: Sequence[Problem]) -> Tensor:
    told: list[Any] = [problem.input for problem in problems]
    if any(not isinstance(one, int) for one in told):
        raise UserError("the judge is told a class; for other prompts give `asked`")
    return torch.tensor(told)
