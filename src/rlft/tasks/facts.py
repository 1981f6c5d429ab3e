"""Facts that nothing could be derived from: a digit for each entity and relation. To tell knowledge from manners.

A model knows a fact or it does not; how it words what it knows is another matter, and this task leaves that open.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.noise import hashed, permuted
from rlft.types import Problem, UserError

LETTERS, RELATIONS = "abcdefghijklmnopqrst", "PQRS"


class Facts:
    """Problems `abP`, entity and relation, whose answer is a digit that a hash decides.

    split      'train' asks for the first two relations, 'test' for the other two, 'all' for all four
    entities   how many there are, up to 400
    """

    name = "facts"

    def __init__(self, split: str = "train", entities: int = 100):
        asked = {"train": RELATIONS[:2], "test": RELATIONS[2:], "all": RELATIONS}
        if split not in asked:
            raise UserError(f"facts have the splits {', '.join(asked)}; not {split!r}")
        if not 1 <= entities <= len(LETTERS) ** 2:
            raise UserError(f"entities have two of {len(LETTERS)} letters: 1 to {len(LETTERS) ** 2}, not {entities}")
        names = [first + second for first, second in product(LETTERS, LETTERS)]
        self.split, self.entities = split, names[:entities]
        self._asked = asked[split]
        self.size = entities * len(self._asked)

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`; a permutation mixes entities and relations."""
        if not 0 <= index < self.size:
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        place, relation = divmod(permuted(index, self.size, self.name), len(self._asked))
        entity, relation = self.entities[place], self._asked[relation]
        return Problem(index, entity + relation, fact(entity, relation), task=self.name, split=self.split)

    def reward(self, problems: Sequence[Problem], outputs: Sequence[Any]) -> Float[Tensor, "N"]:
        """1 if the first digit of the output is the answer, however it is put, else 0."""
        pairs = zip(problems, outputs, strict=True)
        return torch.tensor([float(first_digit(str(output)) == problem.answer) for problem, output in pairs])


def fact(entity: str, relation: str) -> str:
    """The digit of this entity and relation."""
    return str(hashed("fact", entity, relation) % 10)


def first_digit(text: str) -> str | None:
    """The first digit in a text, if there is one."""
    return next((letter for letter in text if letter in "0123456789"), None)
