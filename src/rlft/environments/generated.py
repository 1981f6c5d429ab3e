"""A frozen generator and who judges what it makes, as the other side of a conversation: the policy writes prompts.

The policy's turn is what the generator is told besides the problem; the generator writes something, which is judged,
and what is wrong with it comes back, until nothing is wrong. So a small model learns to prompt a large one that is
never trained (PREFACE, arXiv:2509.06239).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch

from rlft.noise import hashed
from rlft.types import Message, Problem, Sampler, UserError
from rlft.verifiers.known import Known

VERIFIER = "verifier"
"""The role of what comes back."""


@final
@dataclass(frozen=True)
class Judged:
    """What is said of an attempt: `score`, None where there is none; `errors`, how many; `said`, what they are."""

    score: float | None
    errors: int = 0
    said: str = ""


@final
@dataclass(frozen=True)
class Attempt:
    """What the generator wrote on being told `advice`, and what was said of it. Without advice it was not asked."""

    advice: str
    output: str
    judged: Judged


Judge = Callable[[Sequence[Problem], Sequence[Any]], Sequence[Judged]]
Asks = Callable[[Problem, str], Problem]


def advised(template: str = "{prompt}\n\n{advice}") -> Asks:
    """What the generator is asked: the problem's text, or its last chat message, and the advice, as `template` says."""
    if "{prompt}" not in template or "{advice}" not in template:
        raise UserError(f"what a generator is asked has {{prompt}} and {{advice}} in it; got {template!r}")

    def asks(problem: Problem, advice: str) -> Problem:
        def told(text: str) -> str:
            return advice.join(part.replace("{prompt}", text) for part in template.split("{advice}"))

        asked = problem.input
        if isinstance(asked, str):
            return replace(problem, input=told(asked))
        return replace(problem, input=[*asked[:-1], {**asked[-1], "content": told(asked[-1]["content"])}])

    return asks


class Generated:
    """A frozen generator and its judge as a `Dialogue`.

    generator  draws, and is never trained: its weights want no gradient, and are no part of the policy
    judge      `(problems, outputs) -> Judged` of each; what is `enough` ends the conversation, and so does no score
    asks       the generator's problem, of the policy's and a turn; see `advised`
    form       what comes back: {output} is what the generator wrote, {said} what was said of it
    enough     the score with which nothing is wrong
    seed       of the generator's noise

    A turn without a word is not passed on: it comes back with `form` as an attempt that is empty. What the generator
    draws has noise of its own, named by the problem and all that was said before and by `seed`, so that it depends on
    them alone: rows of a problem in which the same was said see the same attempt, and what was attempted can be found
    again from a transcript (`attempts`). `known` attempts are kept, and drawn and judged once.
    """

    schemas: Sequence[Mapping[str, Any]] = ()
    stop: Sequence[str] = ()

    def __init__(
        self,
        generator: Sampler,
        judge: Judge,
        asks: Asks | None = None,
        form: str = "{output}\n{said}",
        enough: float = 1.0,
        seed: int = 0,
        known: int = 65536,
    ):
        if isinstance(generator, torch.nn.Module):
            generator.requires_grad_(False)
        self.generator, self.judge, self.asks = generator, judge, asks or advised()
        self.form, self.enough, self.seed = form, enough, seed
        self._known = Known[int, Attempt](most=known)

    def respond(
        self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]
    ) -> Sequence[Sequence[Message]]:
        """What is wrong with the attempt at each last turn; nothing where it is enough or has no score."""
        return [self._reply(one) for one in self._attempted(problems, transcripts)]

    def attempts(
        self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]
    ) -> list[tuple[Attempt, ...]]:
        """All attempts of conversations with this dialogue, from what was said in them."""
        heard = [[message for message in transcript if not message.aside] for transcript in transcripts]
        asked = [
            (row, said[: place + 1])
            for row, said in enumerate(heard)
            for place, message in enumerate(said)
            if message.own
        ]
        found = self._attempted([problems[row] for row, _ in asked], [said for _, said in asked])
        each: list[list[Attempt]] = [[] for _ in transcripts]
        for (row, _), attempt in zip(asked, found, strict=True):
            each[row].append(attempt)
        return [tuple(some) for some in each]

    def done(self, attempt: Attempt) -> bool:
        """Whether nothing is wrong with it."""
        score = attempt.judged.score
        return score is not None and score >= self.enough

    def _reply(self, attempt: Attempt) -> list[Message]:
        if self.done(attempt) or attempt.judged.score is None:
            return []
        content = self.form.replace("{said}", attempt.judged.said).replace("{output}", attempt.output)
        return [Message(VERIFIER, content, failed=True)]

    def _attempted(self, problems: Sequence[Problem], transcripts: Sequence[Sequence[Message]]) -> list[Attempt]:
        """The attempt at the last turn of each."""
        pairs = list(zip(problems, transcripts, strict=True))
        keys = [self._key(*pair) for pair in pairs]
        asked = dict(zip(keys, pairs, strict=True))
        return self._known.of(keys, lambda new: self._drawn({key: asked[key] for key in new}))

    def _key(self, problem: Problem, transcript: Sequence[Message]) -> int:
        said = [word for message in transcript for word in (message.role, message.content)]
        return hashed(self.seed, *problem.key, problem.input, *said)

    def _drawn(self, asked: Mapping[int, tuple[Problem, Sequence[Message]]]) -> list[Attempt]:
        """New attempts, in the order of their keys."""
        advice = {key: transcript[-1].content.strip() for key, (_, transcript) in asked.items()}
        told = {
            key: replace(self.asks(problem, advice[key]), task=f"{problem.task}/generator/{key}")
            for key, (problem, _) in asked.items()
            if advice[key]
        }
        found = {key: Attempt("", "", Judged(0.0, 1, "nothing was written")) for key in asked}
        if not told:
            return list(found.values())
        with torch.no_grad():
            outputs = list(self.generator.sample(list(told.values()), 1, self.seed).outputs)
        judged = self.judge([asked[key][0] for key in told], outputs)
        for key, output, verdict in zip(told, outputs, judged, strict=True):
            found[key] = Attempt(advice[key], str(output), verdict)
        return list(found.values())
