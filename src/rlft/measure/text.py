"""Measures of completions that hardly any reward looks at: length, truncation, sameness."""

from __future__ import annotations

from collections.abc import Sequence

from rlft.rollouts import Problem, Text


def text_measures(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """Shares of the rows, and means over them.

    words      words in a completion
    truncated  share of completions ended by the length limit
    distinct   different completions over all completions of the same problem, averaged: 1/G when a group agrees
    """
    groups: dict[tuple[str, int], list[str]] = {}
    for problem, output in zip(problems, outputs, strict=True):
        groups.setdefault((problem.split, problem.index), []).append(str(output))
    return {
        "words": sum(len(output.split()) for output in outputs) / len(outputs),
        "truncated": sum(output.truncated for output in outputs) / len(outputs),
        "distinct": sum(len(set(texts)) / len(texts) for texts in groups.values()) / len(groups),
    }
