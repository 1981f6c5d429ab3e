"""Critiques as units of a place and what is wrong there, and several critics' put together. Asks nobody.

MultiCritique (Lan et al. 2024, arXiv:2410.15287) has several models criticise a response, each for itself, in
analytical critique units, has another classify each unit, and merges the good ones into one critique.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlft.synthesis.replies import object_in


@dataclass(frozen=True)
class Unit:
    """One thing that is said to be wrong. Two with the same place and kind are the same, whatever else they say.

    place     where: the number of a step, words of the response
    kind      the type of the error
    severity  how bad it is, any positive number
    note      what is wrong, and what to do instead
    """

    place: str
    kind: str
    severity: float = 1.0
    note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What it is told apart by: place and kind, in small letters, one blank between words."""
        return " ".join(self.place.lower().split()), " ".join(self.kind.lower().split())


Units = tuple[Unit, ...]


def units_in(reply: str | None) -> Units | None:
    """The units of the last object with `units` in a reply, each with `place` and `kind`; None where there is none.

    A unit without them, or of a severity that is no positive number, makes the reply unread: what is left of a critique
    is another one.
    """
    said = object_in(reply, "units")
    if said is None or not isinstance(said["units"], list):
        return None
    found = [_unit(one) for one in said["units"]]
    return united([[one for one in found if one is not None]]) if None not in found else None


def _unit(said: Any) -> Unit | None:
    if not isinstance(said, Mapping) or not {"place", "kind"} <= set(said):
        return None
    severity = said.get("severity", 1.0)
    if isinstance(severity, bool) or not isinstance(severity, int | float) or not 0 < severity < float("inf"):
        return None
    return Unit(str(said["place"]), str(said["kind"]), float(severity), str(said.get("note", "")))


def united(critiques: Iterable[Sequence[Unit]]) -> Units:
    """All units of several critiques, each once, as the first of them says it, in their order."""
    found: dict[tuple[str, str], Unit] = {}
    for critique in critiques:
        for one in critique:
            found.setdefault(one.key, one)
    return tuple(found.values())


def backed(critiques: Sequence[Sequence[Unit]], least: int) -> Units:
    """Those of the union that at least so many critics name; with 1 the union, with all of them the intersection."""
    named = [{one.key for one in critique} for critique in critiques]
    return tuple(one for one in united(critiques) if sum(one.key in own for own in named) >= least)


def filtered(units: Sequence[Unit], taken: Sequence[bool]) -> Units:
    """The units that the meta-critic takes."""
    return tuple(one for one, good in zip(units, taken, strict=True) if good)


def weight(units: Sequence[Unit], taken: Mapping[tuple[str, str], bool], against: float = 0.0) -> float:
    """What a critique is worth by a meta-critic's verdicts: severities of its units that he takes, less `against` times
    those of the others. With `against=0` a further unit never hurts."""
    return math.fsum(one.severity * (1.0 if taken[one.key] else -against) for one in units)


def told(units: Sequence[Unit]) -> str:
    """The critique as JSON, as `units_in` reads it."""
    rows = [
        {"place": one.place, "kind": one.kind, "severity": one.severity, **({"note": one.note} if one.note else {})}
        for one in units
    ]
    return json.dumps({"units": rows}, ensure_ascii=False)
