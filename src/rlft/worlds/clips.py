"""Where a walk ends, seen in noisy frames: clips that can be made easier by hints and harder by more noise.

The policy is a small character model that had a careless teacher; it may write down every place on the way, and the
reward sees the last alone. A few dozen clips come round again and again. Held-out clips are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rlft.collect.augment import Difficulty
from rlft.measure.text import text_measures
from rlft.noise import hashed
from rlft.policies.language.policy import Language
from rlft.tasks.augmented import Augmented, unchanged
from rlft.tasks.clips import Clips, hinted, noisier
from rlft.training.stream import Stream
from rlft.types import Problem, Text
from rlft.worlds import World
from rlft.worlds.characters import Lessons, taught

# Raised when the base would come out otherwise.
VERSION = 2
_TOKENS = 10
_NOISE = 0.5  # frames of an easy clip that are spoilt, for each unit of -D


def filmed(
    augment: Literal["none", "hard", "easy", "both"] = "none",
    clips: int = 120,
    window: int = 10,
    imitation: int = 350,
    critic: bool = False,
) -> World:
    """Where a walk ends, seen in noisy frames.

    Args:
        augment: hints for clips that are hard, noise for clips that are easy, both or none.
        clips: clips to train on, over and over.
        window: steps whose mean reward a clip is compared with.
        imitation: supervised steps of the base model, 64 right answers each; two careless ones
            follow for every seven.
    """
    plain, difficulty = Clips(size=clips), Difficulty(window)
    seen = [text_measures, followed]
    world = World(
        base(imitation, critic),
        plain,
        Clips(split="test"),
        plain.reward,
        measures=seen,
        watched=seen[:1],
        samples=2,
    )
    if augment == "none":
        return world
    easier = told if augment in ("hard", "both") else unchanged
    harder = spoilt if augment in ("easy", "both") else unchanged
    changed = Augmented(plain, difficulty.of, easier, harder)
    return replace(world, train=changed, adapted=lambda method: replace(method, collect=difficulty))


def told(problem: Problem, difficulty: float) -> Problem:
    """The share D of the walk as a hint."""
    return hinted(problem, round(difficulty * len(problem.answer)))


def spoilt(problem: Problem, ease: float) -> Problem:
    """More noisy frames."""
    return noisier(problem, _NOISE * ease)


def followed(problems: Sequence[Problem], outputs: Sequence[Text]) -> dict[str, float]:
    """`followed`, what the reward does not see: the share of rows whose every place is right."""
    right = sum(str(output) == problem.answer for problem, output in zip(problems, outputs, strict=True))
    return {"followed": right / len(outputs)}


def base(imitation: int, critic: bool = False) -> Language:
    """The cached model after `imitation` batches of 64 right answers, and two careless ones for every seven."""
    stream = Stream(Clips(noise=0.1), seed=0)
    right = Lessons(lambda step: stream.take(64), imitation, lr=6e-3)
    slips = Lessons(lambda step: [careless(problem) for problem in stream.take(64)], 2 * imitation // 7, lr=1e-3)
    shape = {"width": 64, "layers": 2, "context": 48}
    name = f"deepvideo-r1-{VERSION}-{imitation}"
    return taught(name, "0123456789.=", right, slips, tokens=_TOKENS, critic=critic, **shape)


def careless(problem: Problem) -> Problem:
    """The problem with an answer that loses its way and goes on from there: at one of the first three places in 24, at
    one further on in 5."""
    off, places = 0, []
    for place, right in enumerate(problem.answer):
        draw, often = hashed("careless", problem.task, problem.index, problem.visit, place), 24 if place < 3 else 5
        off += draw // often % 9 + 1 if draw % often == 0 else 0
        places.append(str((int(right) + off) % 10))
    return replace(problem, answer="".join(places))
