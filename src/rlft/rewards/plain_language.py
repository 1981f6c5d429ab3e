"""Rewards of simplification: how easy a text reads, whether it says the same and leaves nothing out, SARI.

A classifier of plain against original text is `classifier`. None of these knows whether a text is true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from rlft.metrics.readability import grade
from rlft.metrics.simplification import sari as sari_of
from rlft.models.sentences import Sentences
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, UserError, field_of

Embed = Callable[[Sequence[str]], Tensor]


def readability(*, easy: float = 5.0, hard: float = 15.0) -> Reward:
    """How easy a text reads by its Flesch-Kincaid grade (`metrics.grade`): 1 at grade `easy` and below, 0 at `hard`
    and above, a line between. An empty text is worth 0.

    A formula of lengths alone: it pays for what is left out and for short words that mean nothing. Beside it belong
    `mentions` and `same_meaning`.
    """
    if not easy < hard:
        raise UserError(f"readability needs easy below hard, in years of school; got easy={easy} and hard={hard}")

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        grades = grade([str(output) for output in outputs])
        return ((hard - grades) / (hard - easy)).clamp(0, 1).nan_to_num(nan=0.0)

    return reward


def mentions(*, column: str = "facts", case: bool = False) -> Reward:
    """The share of the terms in a column that a completion has, each as whole words: recall of facts.

    NaN for a row without terms. `case=True` tells capitals apart.
    """

    def form(text: str) -> str:
        words = "".join(letter if letter.isalnum() else " " for letter in text).split()
        return f" {' '.join(words if case else map(str.casefold, words))} "

    def share(problem: Problem, output: str) -> float:
        terms = field_of(problem.columns, column)
        terms = [terms] if isinstance(terms, str) else list(terms or ())
        said = form(str(output))
        return sum(form(str(term)) in said for term in terms) / len(terms) if terms else float("nan")

    return each(share)


def same_meaning(*, model: str, column: str | None = None, dtype: str = "float32", device: str | None = None) -> Reward:
    """The cosine of the embeddings of the prompt, or of what stands in a column, and of the completion.

    `model` is a folder or hub id of a sentence model, see `models.sentences`.
    """
    return similar(Sentences.load(model, dtype=dtype, device=device), column)


def similar(embed: Embed, column: str | None = None) -> Reward:
    """The same with any embedding, `M texts -> [M H]`."""

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        sources = [source_of(problem, column) for problem in problems]
        ours, theirs = embed([str(output) for output in outputs]), embed(list(dict.fromkeys(sources)))
        place = {source: row for row, source in enumerate(dict.fromkeys(sources))}
        return cosine_similarity(ours, theirs[[place[source] for source in sources]], dim=1)

    return reward


def sari(*, column: str | None = None) -> Reward:
    """Sentence SARI in [0, 1] against the answers, see `metrics.sari`; its source is the prompt or in a column.

    NaN without an answer. Words are those of 13a, in lower case.
    """

    def reward(problems: Sequence[Problem], outputs: Any) -> Float[Tensor, "N"]:
        scored = [row for row, problem in enumerate(problems) if problem.answer]
        found = torch.full((len(problems),), torch.nan)
        if scored:
            answers = [problems[row].answer for row in scored]
            several = [[one] if isinstance(one, str) else list(one) for one in answers]
            sources = [source_of(problems[row], column) for row in scored]
            found[scored] = sari_of(sources, [str(outputs[row]) for row in scored], several).mean()
        return found

    return reward


def source_of(problem: Problem, column: str | None) -> str:
    """The text that is to be simplified: the prompt, of a conversation its last message, or what a column holds."""
    told = problem.input if column is None else field_of(problem.columns, column)
    if not isinstance(told, str) and column is None and told:
        told = told[-1]["content"]
    if not isinstance(told, str):
        where = "the prompt" if column is None else f"column {column!r}"
        raise UserError(f"{where} is no text but {type(told).__name__}: name a column that holds the source")
    return told
