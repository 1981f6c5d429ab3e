"""`rlft report`: the page of a run, or of several."""

from __future__ import annotations

from pathlib import Path

import tyro

from rlft.types import UserError


def report(folders: tyro.conf.Positional[tuple[Path, ...]], out: Path | None = None) -> int:
    """Write the report of a run, or one page that compares several.

    Args:
        folders: run folders.
        out: where the comparison goes.
    """
    from rlft import report as pages

    try:
        page = pages.write(folders[0]) if len(folders) == 1 else pages.compare(folders, out)
    except (ValueError, IndexError) as error:
        raise UserError(str(error) or "give at least one run folder") from error
    print(page)
    return 0
