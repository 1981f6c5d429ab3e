"""A language model as a verifier: how likely it finds yes against no. In this process; `judge` asks a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.models.next_token import NextWord
from rlft.noise import hashed
from rlft.rewards.judging.asked import Template, template
from rlft.rewards.normalised import normalised
from rlft.types import Parts, Problem, Reward, UserError


def verifier(
    model: str,
    *,
    prompt: str,
    gives: str = "soft",
    yes: str = "yes",
    no: str = "no",
    threshold: float = 0.5,
    votes: int = 0,
    mass: float = 0.01,
    normalise: str = "",
    batch: int = 16,
    dtype: str = "float32",
    device: str | None = None,
) -> Reward:
    """Whether a language model of yours answers yes, as arXiv:2503.23829 has it.

        soft = p(yes) / (p(yes) + p(no)) of the token that follows the prompt;    binary = 1 if that is > threshold

    model      a folder or hub id of a causal model; with a chat template the prompt is a user's message
    prompt     a file, or the text itself, with {completion} and other fields, see `judging.asked.Template`
    votes      if any, so many verdicts are drawn and their share takes the place of p; equal texts have equal votes
    mass       NaN, watched as `unread`, where p(yes) + p(no) is less: the model would say something else
    normalise  z-scores over the "batch" (the paper's) or the "group"

    Where p is 0 or 1 soft and binary are one. NaN, watched as `too_long`, for more tokens than the model reads.
    """
    asked = Verifier(
        NextWord.load(model, (yes, no), dtype, device), template(prompt), gives, threshold, votes, mass, batch
    )
    return normalised(asked, normalise) if normalise else asked


@runtime_checkable
class Speaker(Protocol):
    """Who is asked for yes or no: `models.next_token.NextWord`, or what behaves as it does."""

    longest: int

    def shown(self, text: str) -> list[int]:
        """The tokens of a text."""
        ...

    def likely(self, rows: Sequence[Sequence[int]], batch: int = 16) -> Float[Tensor, "N W"]:
        """The probability of yes and of no behind each row."""
        ...


@final
class Verifier:
    """The reward that `verifier` makes; `speaker` knows yes and no, and may be a policy's own model."""

    def __init__(
        self,
        speaker: Speaker,
        template: Template,
        gives: str = "soft",
        threshold: float = 0.5,
        votes: int = 0,
        mass: float = 0.01,
        batch: int = 16,
    ):
        if gives not in ("soft", "binary"):
            raise UserError(f"a verifier gives 'soft' or 'binary' rewards, not {gives!r}")
        if votes < 0 or batch < 1 or not 0 <= threshold < 1 or not 0 <= mass < 1:
            raise UserError(f"votes={votes}, batch={batch}, threshold={threshold}, mass={mass}: one is out of range")
        self.speaker, self.template, self.gives = speaker, template, gives
        self.threshold, self.votes, self.mass, self.batch = threshold, votes, mass, batch

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Parts:
        texts = [self.template.filled(problem, outputs[row]) for row, problem in enumerate(problems)]
        found, long = self._likely(texts)
        total = found.sum(1)
        soft = torch.where(total >= self.mass, found[:, 0] / total.clamp(min=1e-30), torch.nan)
        if self.votes:
            soft = torch.tensor([self._voted(text, p) for text, p in zip(texts, soft.tolist(), strict=True)])
        binary = torch.where(soft.isnan(), torch.nan, (soft > self.threshold).float())
        unread = (soft.isnan() & ~long).float()
        reward = soft if self.gives == "soft" else binary
        return Parts({"verified": reward}, {"yes": binary, "unread": unread, "too_long": long.float()})

    def explain(self, problem: Problem, output: Any) -> str:
        """Both probabilities."""
        found, long = self._likely([self.template.filled(problem, output)])
        return "too long for it" if long[0] else f"p(yes) {float(found[0, 0]):.3f}, p(no) {float(found[0, 1]):.3f}"

    def _likely(self, texts: Sequence[str]) -> tuple[Float[Tensor, "N 2"], Tensor]:
        """p(yes) and p(no) of each text, equal ones read once, and which are too long (NaN)."""
        place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        rows = [self.speaker.shown(text) for text in place]
        fit = [row for row, tokens in enumerate(rows) if 0 < len(tokens) <= self.speaker.longest]
        found = torch.full((len(rows), 2), torch.nan)
        if fit:
            found[torch.tensor(fit)] = self.speaker.likely([rows[row] for row in fit], self.batch)
        told = found[torch.tensor([place[text] for text in texts], dtype=torch.long)]
        return told, told[:, 0].isnan()

    def _voted(self, text: str, p: float) -> float:
        if p != p:
            return p
        return sum(hashed("verdict", text, vote) / 2**63 < p for vote in range(self.votes)) / self.votes
