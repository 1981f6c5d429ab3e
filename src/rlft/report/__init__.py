"""Run folders to tables, figures and pages. Reads files only: no torch, and nothing of the library but this package.

    read(folder)             the parsed files
    summary_lines(run)       the short table that the tool prints at the end
    write(folder)            one self-contained page, folder/report.html
    compare(folders)         one self-contained page of several runs
    LiveBar                  what a terminal shows while a run is going: `rlft.report.live`

Drawing needs matplotlib, which is imported only when a page is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlft.report.files import Results, Run, read
from rlft.report.summary import summary_lines

__all__ = ["Results", "Run", "compare", "read", "summary_lines", "write"]


def write(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of a run, `report.html` in its folder unless `out` says where, and return its path.

    Raises ValueError, with a sentence that says why, if the folder is not a run's.
    """
    from rlft.report import page

    return page.write(folder, out)


def compare(folders: Sequence[str | Path], out: str | Path | None = None, results: Results | None = None) -> Path:
    """Write a page with the curves of several runs overlaid, a table of their results and of the settings that differ.

    It goes to `out`, or to `compare.html` in the folder that holds all of them; the path is returned. Raises ValueError
    for fewer than two folders, or a folder that is not a run's. `results` are shown instead of those of the folders,
    which then stand for several runs each.
    """
    from rlft.report import page

    return page.compare(folders, out, results)
