"""Topics as a tree of subjects and what they are made of. Names are compared without case, spaces and punctuation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft.errors import UserError

Path_ = tuple[str, ...]
"""The names from a subject down to a topic."""


@dataclass(frozen=True)
class Taxonomy:
    """The leaves of a tree, each as the names that lead to it.

    repeated   names that were left out: beside an equal one, or below an equal one, which would be a circle
    """

    leaves: tuple[Path_, ...]
    repeated: tuple[Path_, ...] = ()

    def __len__(self) -> int:
        return len(self.leaves)

    def under(self, new: Mapping[Path_, Iterable[str]]) -> Taxonomy:
        """The tree with these names below its leaves. A leaf stays one where no new name is left for it."""
        leaves: list[Path_] = []
        repeated = list(self.repeated)
        for leaf in self.leaves:
            known, kept = {plain(name) for name in leaf}, []
            for name in new.get(leaf, ()):
                if plain(name) in known or not plain(name):
                    repeated.append((*leaf, name))
                    continue
                known.add(plain(name))
                kept.append((*leaf, name))
            leaves += kept or [leaf]
        return Taxonomy(tuple(leaves), tuple(repeated))


def plain(name: str) -> str:
    """A name as it is compared."""
    return re.sub(r"[\W_]+", "", name.casefold())


def taxonomy(tree: Mapping[str, Any] | Sequence[Any]) -> Taxonomy:
    """Of nested objects and lists: `{"algebra": ["equations", {"groups": ["rings"]}], "logic": []}`.

    UserError for a name beside an equal one, and for one below an equal one.
    """
    found = _leaves(tree, ())
    if not found:
        raise UserError('a taxonomy has a topic: {"algebra": ["linear equations"], "logic": []}, for one')
    beside: set[tuple[str, ...]] = set()
    for path in found:
        names = tuple(map(plain, path))
        if "" in names or len(set(names)) < len(names):
            raise UserError(f"the topic {' / '.join(path)!r} has an empty name, or one that is below an equal one")
        if names in beside:
            raise UserError(f"the topic {' / '.join(path)!r} is there twice")
        beside.add(names)
    return Taxonomy(tuple(found))


def read(told: str) -> Taxonomy:
    """A JSON file with a tree, or subjects with commas between them."""
    path = Path(told).expanduser()
    if path.suffix != ".json" and not path.is_file():
        return taxonomy([name.strip() for name in told.split(",") if name.strip()])
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"the taxonomy {path} cannot be read: {error}") from None
    return taxonomy(tree)


def _leaves(tree: Any, above: Path_) -> list[Path_]:
    if isinstance(tree, str):
        return [(*above, tree)]
    if isinstance(tree, Mapping):
        return [
            leaf for name, below in tree.items() for leaf in _leaves(below, (*above, str(name))) or [(*above, name)]
        ]
    if isinstance(tree, Sequence):
        return [leaf for one in tree for leaf in _leaves(one, above)]
    raise UserError(f"a taxonomy is made of names, lists and objects; got {tree!r}")
