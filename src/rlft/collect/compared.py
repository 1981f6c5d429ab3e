"""Rows beside what was demonstrated of their problems: how unlike it they are, and how much less they earn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from rlft.collect.episodes import counted, worded
from rlft.collect.sources import one_batch
from rlft.types import Collect, Rollouts, Source, UserError, output_of

Encode = Callable[[Sequence[str]], Tensor]
"""`M texts -> [M H]`: embeddings of texts."""

# A sentence ends behind its stop, or with its line.
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")


def by_counts(texts: Sequence[str]) -> Float[Tensor, "M H"]:
    """How often each one to three characters come in a text, in buckets by their hash: needs no model."""
    return torch.stack([counted(text) for text in texts])


def compared(encode: Encode = by_counts, collect: Collect = one_batch) -> Collect:
    """The batch with two columns, of each row and its problem's lesson: what there is to imitate, a text.

        hardness = 1 - mean over the row's sentences of the largest cosine with one of the lesson's
        gap      = reward of the lesson - reward of the row

    Both are NaN where a problem has no lesson, and a gap where either was not scored. An output without a sentence has
    hardness 1. The run's reward scores each lesson of the step once, alone: a z-score of the group says nothing of it.
    Notes the means, `compared/hardness` and `compared/gap`, and `compared/ahead`, the share of the rows that earn more
    than the lesson. `UserError` where no problem of a step has a lesson.
    """

    def together(source: Source) -> Rollouts:
        rollouts = collect(source)
        first = range(0, len(rollouts), rollouts.group)
        lessons = [rollouts.problems[row].lesson for row in first]
        known = [place for place, lesson in enumerate(lessons) if lesson is not None]
        if len(lessons) and not known:
            raise UserError(
                "rows are compared with what was demonstrated, and no problem of this step has an answer or a "
                "demonstration: name the column that has it, --demonstration-field"
            )
        rewards = rollouts.rewards
        earned = rewards.new_full((len(lessons),), torch.nan)
        if known:
            asked = [rollouts.problems[first[place]] for place in known]
            told = source.judged(asked, [output_of(lessons[place]) for place in known], 1).total
            earned[known] = told.to(earned)
        gap = earned.repeat_interleave(rollouts.group) - rewards
        outputs = [worded(rollouts.outputs[row]) for row in range(len(rollouts))]
        wide = [None if one is None else worded(one) for one in lessons for _ in range(rollouts.group)]
        hard = hardness(outputs, wide, encode).to(rewards)
        _note(source, hard, gap)
        return rollouts.fill(hardness=hard, gap=gap)

    return together


def _note(source: Source, hard: Tensor, gap: Tensor) -> None:
    hard, gap = source.runtime.gather(hard), source.runtime.gather(gap)
    scored = gap[~gap.isnan()]
    source.notes["compared/hardness"] = float(hard.nanmean())
    source.notes["compared/gap"] = float(scored.mean())
    source.notes["compared/ahead"] = float((scored < 0).double().mean())


def hardness(outputs: Sequence[str], lessons: Sequence[str | None], encode: Encode) -> Float[Tensor, "N"]:
    """1 - mean_k max_l cos(sentence k of the output, sentence l of the lesson); NaN without a lesson.

    Cosines below 0 count as 0, so it is in [0, 1]; 0 for the lesson itself, in whatever order its sentences stand.
    """
    texts = [[_sentences(text or "") for text in side] for side in (outputs, lessons)]
    known = {one: row for row, one in enumerate(dict.fromkeys(s for side in texts for text in side for s in text))}
    vectors = normalize(encode(list(known)).double(), dim=1) if known else torch.zeros(0, 1).double()
    found = torch.full((len(outputs),), torch.nan, dtype=torch.float64)
    for row, (ours, theirs) in enumerate(zip(*texts, strict=True)):
        if lessons[row] is None:
            continue
        one, two = ([known[sentence] for sentence in side] for side in (ours, theirs))
        near = (vectors[one] @ vectors[two].T).clamp(0, 1).amax(1).mean() if one and two else 0.0
        found[row] = 1 - float(near)
    return found


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in _ENDS.split(text) if part.strip()]
