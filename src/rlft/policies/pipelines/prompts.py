"""What the network is told of prompts: read once, each alone, and kept within a bound. Encoders never learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from rlft.noise import hashed
from rlft.policies.perception.kept import Kept, numbers_in
from rlft.policies.pipelines.family import Family, Told
from rlft.types import Problem, UserError

# Numbers that are kept of what encoders gave: a gigabyte in float32.
_KEPT = 2**28


class Prompts:
    """The prompts of problems by the number that stands for them in a trace.

    reads   how often the encoders have read a prompt
    """

    def __init__(self, family: Family):
        self.family, self.texts, self.kept, self.reads = family, dict[int, str](), Kept(_KEPT), 0

    def keys(self, problems: Iterable[Problem]) -> list[int]:
        """A number for each problem's prompt, which is remembered; UserError for one that is no text."""
        return [self.key(text_of(problem)) for problem in problems]

    def key(self, text: str) -> int:
        """The number of a prompt."""
        key = hashed("prompt", text)
        self.texts[key] = text
        return key

    def told(self, key: int) -> Told:
        """What the network is told of the prompt with this number, one row of each."""
        known = self.kept.get(key)
        if known is None:
            with torch.no_grad():
                known = {name: value.detach() for name, value in self.family.encode(self.texts[key]).items()}
            self.reads += 1
            self.kept.put(key, known, numbers_in(known))
        return known

    def stacked(self, keys: Sequence[int]) -> Told:
        """The same of several, in their order."""
        each = [self.told(key) for key in keys]
        return {name: torch.cat([one[name] for one in each]) for name in each[0]}

    def alike(self, keys: Tensor) -> list[Tensor]:
        """The rows with these numbers, apart where what they are told has other shapes: none is padded for another."""
        shapes: dict[tuple[torch.Size, ...], list[int]] = {}
        for row, key in enumerate(keys.tolist()):
            shapes.setdefault(tuple(value.shape for value in self.told(key).values()), []).append(row)
        return [torch.tensor(rows, device=keys.device) for rows in shapes.values()]


def text_of(problem: Problem) -> str:
    """A problem's prompt; UserError for one that is no text, or an empty one."""
    if not isinstance(problem.input, str) or not problem.input.strip():
        raise UserError(
            f"problem {problem.index} asks for {problem.input!r:.80}; a text-to-image pipeline is asked with a text "
            "(--prompt-field says in which column it is)"
        )
    return problem.input
