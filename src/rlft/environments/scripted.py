"""A rule that speaks in place of a policy, to the same dialogue: a baseline, or a teacher. It learns nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch

from rlft.environments.dialogue import Dialogue
from rlft.types import Message, Problem, Rollouts, Transcript

Rule = Callable[[Problem, Sequence[Message], int], str]
"""`(problem, what was said so far, number in the group) -> the next turn`."""


@final
class Scripted:
    """A sampler of conversations that a rule holds, of at most `turns` turns. Its decisions have no density."""

    def __init__(self, rule: Rule, dialogue: Dialogue, turns: int):
        self.rule, self.dialogue, self.turns = rule, dialogue, turns

    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` conversations about each problem; `seed` is not used."""
        rows = tuple(problem for problem in problems for _ in range(group))
        said: list[list[Message]] = [[] for _ in rows]
        going, unfinished = list(range(len(rows))), list[int]()
        for turn in range(self.turns):
            for row in going:
                said[row].append(Message("assistant", self.rule(rows[row], said[row], row % group)))
            answers = self.dialogue.respond([rows[row] for row in going], [said[row] for row in going])
            unfinished = [row for row, answer in zip(going, answers, strict=True) if answer]
            if turn + 1 < self.turns:
                for row, answer in zip(going, answers, strict=True):
                    said[row].extend(answer)
            going = unfinished
        outputs = [Transcript(each[-1].content, (), row in unfinished, each) for row, each in enumerate(said)]
        nothing = torch.zeros(len(rows), 1)
        return Rollouts(rows, group, outputs, {}, nothing.bool(), nothing)
