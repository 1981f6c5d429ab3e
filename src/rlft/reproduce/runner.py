"""Cells side by side, in processes of one torch thread each, with a bar and the time that is left. Judges nothing.

A cell that is done is never run again, and one that was stopped or killed goes on from its newest checkpoint: the
same command does both.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from rlft.errors import UserError
from rlft.report.words import duration
from rlft.reproduce.cells import Cell, log_of, measured, progress, run_cell
from rlft.runs.folder import Stopped

_POLL = 0.5  # seconds


def processes(workers: int) -> Executor:
    """Processes of this machine, of one torch thread each."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a child imports torch: threads that share cores wait for each other
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_end_with_the_parent)


def run_cells(
    cells: Sequence[Cell],
    root: Path,
    workers: int = 2,
    console: Console | None = None,
    pool: Callable[[int], Executor] = processes,
) -> list[dict[str, float]]:
    """The numbers of all cells, in their order.

    `workers` at a time in a `pool` of so many; 0 runs them here, one after the other. Raises `Stopped` on Ctrl-C, with
    everything saved, and `UserError`, once all others are done, if a cell failed.
    """
    todo = [cell for cell in cells if measured(cell.folder(root)) is None]
    if workers == 0:
        for cell in todo:
            run_cell(cell, root)
    elif todo:
        _side_by_side(todo, root, pool(workers), console or Console(stderr=True, highlight=False))
    return [measured(cell.folder(root)) or {} for cell in cells]


def _side_by_side(cells: Sequence[Cell], root: Path, pool: Executor, console: Console) -> None:
    failed: dict[Path, str] = {}
    try:
        futures = {pool.submit(run_cell, cell, root): cell.folder(root) for cell in cells}
        _watch(futures, console)
        for future, folder in futures.items():
            error = future.exception()
            if isinstance(error, Stopped):
                raise error
            if error is not None:
                failed[folder] = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise Stopped(f"stopped; the runs in {root} are saved, and the same command goes on") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failed:
        folder, why = next(iter(failed.items()))
        raise UserError(
            f"{len(failed)} of {len(cells)} runs failed, the first with {why} (see {log_of(folder)}); the same command "
            "tries them again"
        )


def _end_with_the_parent() -> None:
    """Else one whose parent alone was killed works on, and holds its folder against the same command."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _watch(futures: dict[Future[dict[str, float]], Path], console: Console) -> None:
    """Wait for all, and show how far they are; as plain lines, seldom, where the console is no terminal."""
    began, spoken = time.monotonic(), time.monotonic()
    start = sum(progress(folder) for folder in futures.values())
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            time.sleep(_POLL)
            waiting = [future for future in futures if not future.done()]
            if any(isinstance(f.exception(), Stopped) for f in futures if f.done()):
                raise KeyboardInterrupt
            shares = {folder: 1.0 if future.done() else progress(folder) for future, folder in futures.items()}
            line = _line(shares, len(futures) - len(waiting), time.monotonic() - began, start)
            if console.is_terminal:
                live.update(_bar(shares, line), refresh=True)
            elif time.monotonic() - spoken > 30:
                spoken = time.monotonic()
                console.print(line, soft_wrap=True)
            if not waiting:
                return


def _line(shares: dict[Path, float], done: int, spent: float, start: float) -> str:
    made = sum(shares.values()) - start
    left = duration(spent / made * (len(shares) - sum(shares.values()))) if made > 0.05 else "…"
    here = [f"{f.name.rsplit('-', 1)[0]} {share:.0%}" for f, share in shares.items() if 0 < share < 1]
    words = [f"{done} of {len(shares)} runs done", duration(spent), f"about {left} left", ", ".join(here)]
    return " · ".join(word for word in words if word)


def _bar(shares: dict[Path, float], line: str) -> Table:
    table = Table.grid(expand=True)
    table.add_row(ProgressBar(total=len(shares), completed=sum(shares.values())))
    table.add_row(line)
    return table
