"""Measures of completions that hardly any reward looks at: length, truncation, sameness."""

from __future__ import annotations

from collections.abc import Sequence

from rlft.types import Problem, Text, Transcript


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


def turn_measures(problems: Sequence[Problem], outputs: Sequence[Transcript]) -> dict[str, float]:
    """Means over conversations.

    turns      turns of the policy, summaries aside
    summaries  summaries of what was said, where a window is full
    calls      answers of tools
    failed     share of those that say what went wrong
    """
    turns = sum(message.role == "assistant" for output in outputs for message in output.messages)
    summaries = sum(output.summaries for output in outputs)
    calls = [message for output in outputs for message in output.messages if message.role == "tool"]
    failed = sum(message.failed for message in calls)
    told = {"turns": turns, "summaries": summaries, "calls": len(calls)}
    return {name: count / len(outputs) for name, count in told.items()} | {"failed": failed / max(len(calls), 1)}
