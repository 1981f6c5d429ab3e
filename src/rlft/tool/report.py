"""`rlft report`: the page of a run, or of several."""

from __future__ import annotations

from pathlib import Path

import tyro

from rlft.types import UserError


def report(folders: tyro.conf.Positional[tuple[Path, ...]], out: Path | None = None) -> int:
    """Write the report of a run, or one page that compares several.

    Args:
        folders: run folders.
        out: a file for the page; by default report.html in the run's folder, or compare.html beside the folders.
    """
    from rlft import report as pages

    if not folders:
        raise UserError("give at least one run folder")
    try:
        page = pages.write(folders[0], out) if len(folders) == 1 else pages.compare(folders, out)
    except ValueError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"cannot write the page: {error}; say with --out where it goes") from error
    print(page)
    return 0
