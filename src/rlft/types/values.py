"""Options as values: one frozen dataclass for each group of them. A new option is a field and the place that uses it.

The command line shows the fields of such a value as options of its own (`rlft.options.arguments`), and functions that
take several values also take their fields by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


def overlaid(told: Mapping[str, Any], *values: Any) -> tuple[Any, ...]:
    """The values, each with those of its fields that are told by name; TypeError for a name that none of them has."""
    fields = [{field.name for field in dataclasses.fields(value)} for value in values]
    if foreign := set(told).difference(*fields):
        known = ", ".join(sorted(set().union(*fields)))
        raise TypeError(f"unexpected argument {sorted(foreign)[0]!r}; options are {known}")
    pairs = zip(values, fields, strict=True)
    return tuple(dataclasses.replace(value, **{n: told[n] for n in names & set(told)}) for value, names in pairs)
