"""Reward models and classifiers of `transformers` as rewards: `scorer`, `classifier`. They are frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.models.sequence import Reader
from rlft.rewards.normalised import normalised
from rlft.types import Parts, Problem, Reward, Transcript, UserError

Reads = Literal["both", "completion", "conversation"]


def scorer(
    model: str,
    *,
    normalise: str = "",
    reads: Reads = "both",
    batch: int = 16,
    dtype: str = "float32",
    device: str | None = None,
) -> Reward:
    """The number that a reward model of yours gives to prompt and completion.

    model      a folder or hub id that `AutoModelForSequenceClassification` reads, with one label
    normalise  its z-score over the "batch" or the "group", see `rewards.normalised`; none by default
    reads      prompt and completion; the completion alone, as a model does that was fitted without prompts; or prompt
               and conversation, all that was said in it, of which a completion is the last turn only
    batch      rows in one pass, which changes no number by more than rounding
    dtype, device   of its weights: float32, bfloat16 …; cpu, cuda:1 …

    Prompt and completion go through its tokenizer's chat template, else they are one text. NaN, and watched as
    `too_long`, for a row with more tokens than it reads: no part of it is scored in its stead.
    """
    reader = Reader.load(model, dtype=dtype, device=device)
    if reader.labels != 1:
        raise UserError(f"{model} has {reader.labels} labels and is no scorer: 'classifier({model!r}, label=…)'")
    return _perhaps(Scored(reader, lambda logits: logits[:, 0], "score", batch, reads), normalise)


def classifier(
    model: str,
    *,
    label: str,
    normalise: str = "",
    reads: Reads = "both",
    batch: int = 16,
    dtype: str = "float32",
    device: str | None = None,
) -> Reward:
    """The probability of a label, by its name or number: softmax over labels; of a model with one, its sigmoid.

    As `scorer` in everything else.
    """
    reader = Reader.load(model, dtype=dtype, device=device)
    place = reader.named(label)
    return _perhaps(Scored(reader, lambda logits: shares(logits)[:, place], "probability", batch, reads), normalise)


def shares(logits: Float[Tensor, "N L"]) -> Float[Tensor, "N L"]:
    """Probabilities of labels: the softmax, or the sigmoid of a single one."""
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(-1)


def _perhaps(reward: Reward, normalise: str) -> Reward:
    return normalised(reward, normalise) if normalise else reward


@final
class Scored:
    """What a reader's numbers are worth, by the name of the part.

    worth   [N L] -> [N]
    """

    def __init__(
        self,
        reader: Reader,
        worth: Callable[[Tensor], Tensor],
        name: str,
        batch: int = 16,
        reads: Reads = "both",
    ):
        if batch < 1:
            raise UserError(f"batch={batch} must be at least 1")
        if reads not in get_args(Reads):
            raise UserError(f"a model of texts reads one of {', '.join(get_args(Reads))}; not {reads!r}")
        self.reader, self.worth, self.name, self.batch, self.reads = reader, worth, name, batch, reads
        reader.model.requires_grad_(False)

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        rows = [self._shown(problem, outputs[row]) for row, problem in enumerate(problems)]
        fit = [row for row, tokens in enumerate(rows) if self.reader.fits(tokens)]
        scores, long = torch.full((len(rows),), torch.nan), torch.ones(len(rows))
        if fit:
            place = torch.tensor(fit)
            scores[place] = self.worth(self.reader.read([rows[row] for row in fit], self.batch))
            long[place] = 0
        return Parts({self.name: scores}, {"too_long": long})

    def explain(self, problem: Problem, output: Any) -> str:
        """How much it read, and what it gave."""
        tokens = self._shown(problem, output)
        if not self.reader.fits(tokens):
            return f"{len(tokens)} tokens, and it reads {self.reader.longest}"
        return f"{self.name} {float(self([problem], [output])[self.name][0]):.4g} of {len(tokens)} tokens"

    def _shown(self, problem: Problem, output: Any) -> list[int]:
        said = output.messages if self.reads == "conversation" and isinstance(output, Transcript) else str(output)
        return self.reader.shown("" if self.reads == "completion" else problem.input, said)
