"""`rlft study weights BEFORE AFTER [AFTER2]`: what training did to a model's weights. Reads folders, trains nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path

import tyro

from rlft.measure.moved import MEASURES, Looking, Moved, by_kind, together
from rlft.runs.changes import changes

_HEADS = {
    "unchanged": ("unchanged", "{:.1%}"),
    "moved": ("moved", "{:.2e}"),
    "drift": ("drift", "{:.2e}"),
    "turned": ("turned", "{:.2f}°"),
    "turning": ("on average", "{:.2f}°"),
    "principal": ("principal", "{:+.3f}"),
    "low": ("low", "{:+.3f}"),
    "jaccard": ("jaccard", "{:.3f}"),
    "chance": ("by chance", "{:.3f}"),
}


def weights(
    before: tyro.conf.Positional[str],
    after: tyro.conf.Positional[str],
    second: tyro.conf.Positional[str | None] = None,
    looking: tyro.conf.OmitArgPrefixes[Looking] = Looking(),
    json: bool = False,
    out: Path | None = None,
) -> int:
    """How much of a model's weights training moved, which part, and whether their directions turned.

    The measures of "The Path Not Taken" (arXiv:2511.08567). A line for each kind of matrix, a mean by entries:
    `unchanged` in bfloat16; `moved` is the norm of the change by that of the weights; `drift` that of the singular
    values; `turned` the largest angle of the first directions, and their mean; `principal` and `low`, the share of what
    changed in the weights that carry the first directions and in the smallest, more than by chance; of two runs,
    `jaccard` of what they changed.

    Args:
        before: the model before: a folder, or a run's.
        after: after.
        second: what another run made of the same model.
        json: print every tensor's measures as JSON lines.
        out: write them there besides.
    """
    found: list[Moved] = []
    for one in changes(before, after, second, looking):
        found.append(one)
        if sys.stderr.isatty():
            print(f"\r{len(found)} tensors, {one.name:.70}\033[K", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    lines = [dumps({n: None if v != v else v for n, v in asdict(one).items()}) for one in found]
    if out is not None:
        out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines if json else table([*by_kind(found).values(), together(found)])))
    return 0


def table(rows: Sequence[Moved]) -> list[str]:
    """Lines of a table, without the measures that no row has."""
    measured = [m for m in MEASURES if any(not math.isnan(getattr(row, m)) for row in rows)]
    cells = [["", "entries", *(_HEADS[m][0] for m in measured)]]
    for row in rows:
        values = [(getattr(row, m), _HEADS[m][1]) for m in measured]
        cells.append([row.name, f"{row.entries:,}", *("" if math.isnan(v) else form.format(v) for v, form in values)])
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    return [
        "  ".join(
            c.ljust(w) if not place else c.rjust(w) for place, (c, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
