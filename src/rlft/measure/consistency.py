"""Whether an answer is what its thought has come to. SEED-Bench-R1 (Chen et al. 2025, arXiv:2503.24376) has found that
a reward for the answer alone makes answers better and their reasoning less coherent with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rlft.metrics.boxes import span
from rlft.types import Problem, Text

_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL | re.IGNORECASE)
_WORD = re.compile(r"\w+")


def consistent(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """`consistent`, of the rows that think and answer the share whose thought comes to the answer, NaN where none does
    both; and `thought`, the share of rows that do.

    What a thought comes to is the option that it names last, by its letter or, whole words and without regard to
    capitals, by its text; of a problem without a column `options` its last word. An answer is what stands in the last
    `<answer>` (`metrics.boxes.span`); letter and text of one option are one answer.
    """
    agreed: list[bool] = []
    for problem, output in zip(problems, outputs, strict=True):
        thoughts, options = _THOUGHT.findall(output), problem.columns.get("options")
        said = span(output)
        if thoughts and said and said != output.strip():
            known: Mapping[str, str] = options if isinstance(options, Mapping) else {}
            came, given = _last(thoughts[-1], known), _last(said, known)
            agreed.append(came is not None and came == given)
    share = sum(agreed) / len(agreed) if agreed else float("nan")
    return {"consistent": share, "thought": len(agreed) / len(outputs)}


def _last(text: str, options: Mapping[str, str]) -> str | None:
    """The letter of the option that is named last; without options the last word."""
    if not options:
        words = _WORD.findall(text)
        return words[-1].casefold() if words else None
    named = [(place.end(), letter) for letter in options for place in re.finditer(rf"\b{re.escape(letter)}\b", text)]
    for letter, option in options.items():
        named += [(one.end(), letter) for one in re.finditer(rf"(?i)(?<!\w){re.escape(option)}(?!\w)", text)]
    return max(named)[1] if named else None
