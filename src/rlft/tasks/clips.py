"""Clips: noisy frames of a walk as text, and where it ends. A stand-in for video until there is one: no pixel in it.

A walk on a ring of ten places has a start and steps of one to five places. Each of these numbers is filmed in three
frames, and a frame that is noisy shows some other digit.
"""

from __future__ import annotations

from dataclasses import replace

from rlft.noise import hashed
from rlft.tasks.worked_sums import WorkedSums
from rlft.types import Problem, Reward, UserError

FRAMES = 3  # of each number


class Clips:
    """Questions such as `888545111......=`, the walk 8, +5, +1 with one frame wrong, and the answer `34`.

    The walks are `WorkedSums`: its splits, its running totals, and its reward, which looks at the last place alone. A
    clip has its own share of noisy frames, between 0 and `noise`. `size` takes the first so many of the split.
    """

    def __init__(
        self,
        shortest: int = 5,
        longest: int = 8,
        noise: float = 0.15,
        places: int = 8,
        split: str = "train",
        size: int | None = None,
    ):
        if not 0 <= noise <= 1:
            raise UserError(f"noise is the largest share of noisy frames, from 0 to 1; got {noise}")
        self.walks, self.noise, self.split = WorkedSums(shortest, longest, places, split), noise, split
        self.name = f"clips-{shortest}-{longest}-{noise:g}"
        self.size = min(size or self.walks.size, self.walks.size)
        self.reward: Reward = self.walks.reward

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        walk = self.walks.at(index)
        clear = "".join(number * FRAMES for number in walk.input[:-1])
        rate = self.noise * (hashed(self.name, self.split, "rate", index) % 1001) / 1000
        problem = replace(walk, input=f"{clear}=", task=self.name, columns={"answer": walk.answer, "noise": rate})
        return noisier(problem, rate)


def noisier(problem: Problem, rate: float) -> Problem:
    """Each frame of the clip is, with this probability, replaced by a digit from 1 to 5 drawn once for the problem."""
    frames = list(problem.input[:-1])
    for place, frame in enumerate(frames):
        draw = hashed("frame", problem.task, problem.split, problem.index, place, rate)
        if frame != "." and draw % 10**6 < rate * 10**6:
            frames[place] = str(draw // 10**6 % 5 + 1)
    return replace(problem, input="".join(frames) + "=")


def hinted(problem: Problem, count: int) -> Problem:
    """The first `count` places of the walk stand in the prompt, and the answer is the rest; the last is never told."""
    told = min(max(count, 0), len(problem.answer) - 1)
    return replace(problem, input=problem.input + problem.answer[:told], answer=problem.answer[told:])
