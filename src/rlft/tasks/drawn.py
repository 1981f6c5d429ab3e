"""Problems about things that are drawn on demand, pictures or sounds: splits by what is in them, one message for each.

What can be drawn is a family's affair: `tasks.shapes` asks about pictures, `tasks.tones` about sounds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from rlft.errors import UserError
from rlft.noise import hashed
from rlft.types import Problem, Task

# The share of all things that a split has, of ten.
SPLITS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}


@runtime_checkable
class Sensed(Protocol):
    """Something to be looked at or listened to, all of which is known."""

    @property
    def content(self) -> tuple[object, ...]:
        """What is in it, but for its noise, in words that no other kind of thing has."""
        ...

    def columns(self) -> dict[str, Any]:
        """The same as columns of a problem."""
        ...

    def part(self) -> dict[str, Any]:
        """What shows it, as a part of a message."""
        ...


@dataclass(frozen=True)
class Question:
    """What is asked of it, the right answer as it is written, and what else is known of it."""

    text: str
    answer: str
    columns: dict[str, Any]


Family = Callable[[random.Random], tuple[Sensed, Question] | None]


@final
class Numbered:
    """What is made of an index, below `size` where there is one: then it is kept once it was made."""

    def __init__(self, task: Task, make: Callable[[int], Problem]):
        self.task, self.make, self.kept = task, make, dict[int, Problem]()

    def at(self, index: int) -> Problem:
        """The problem with this index."""
        size = self.task.size
        if index < 0 or (size is not None and index >= size):
            raise IndexError(f"{self.task.name} has {size} problems in {self.task.split!r}, none with index {index}")
        if size is None:
            return self.make(index)
        if index not in self.kept:
            self.kept[index] = self.make(index)
        return self.kept[index]


class Drawn:
    """Problems of a family of questions; their input is one message with what is shown and then the question.

    A problem's answer is the right text. Columns: what is known of the thing shown, and the question's own. `size`
    takes the first so many of a split, which are kept once they were drawn; a split has no end without it.
    """

    def __init__(self, name: str, family: Family, split: str = "train", size: int | None = None):
        if split not in SPLITS:
            raise UserError(f"scenes and sounds have the splits {', '.join(SPLITS)}; not {split!r}")
        self.name, self.family, self.split, self.size = name, family, split, size
        self._numbered = Numbered(self, self._drawn)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        return self._numbered.at(index)

    def _drawn(self, index: int) -> Problem:
        draw = random.Random(hashed(self.name, self.split, index))
        while True:
            asked = self.family(draw)
            if asked is not None and belongs(asked[0], self.split):
                break
        sensed, question = asked
        columns = {**sensed.columns(), "question": question.text, **question.columns}
        return Problem(index, shown(sensed.part(), question.text), question.answer, columns, self.name, self.split)


def belongs(sensed: Sensed, split: str, shares: Mapping[str, range] = SPLITS) -> bool:
    """Whether a thing is of this split: by what is in it, so that none is in two. `shares` are of ten."""
    return hashed(*sensed.content) % 10 in shares[split]


def shown(part: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
    """One user's message: what is shown, a part of one, then the text."""
    return [{"role": "user", "content": [part, {"type": "text", "text": text}]}]


def pictured(pixels: UInt8[np.ndarray, "H W 3"]) -> dict[str, Any]:
    """A picture as a part of a message."""
    from PIL import Image

    return {"type": "image", "image": Image.fromarray(pixels)}
