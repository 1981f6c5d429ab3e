"""Cells on other machines: what a cell's folder holds goes there, and what it holds then comes back.

So nothing need be shared but the library (and a recipe of one's own, at the same place), and a cell that was begun here
goes on there.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rlft.errors import UserError
from rlft.reproduce.cells import Cell, log_of, measured, run_cell
from rlft.runs.folder import Stopped
from rlft.runs.lock import NAME, held


@runtime_checkable
class Tasks(Protocol):
    """What makes calls elsewhere: `rlft.runtime.ray_tasks.RayTasks`."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns, or raises, there."""
        ...

    def cancel(self) -> None:
        """End what still runs."""
        ...


class Elsewhere(ThreadPoolExecutor):
    """An executor of cells, `count` at a time; each waits in a thread here, and its folder is held meanwhile."""

    def __init__(self, count: int, tasks: Tasks):
        super().__init__(count)
        self.tasks = tasks

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """`run_cell` of a cell and a root, and nothing else, as `runner` asks for it."""
        return super().submit(self._run, *args, **kwargs)

    def _run(self, cell: Cell, root: Path) -> dict[str, float]:
        folder = cell.folder(root)
        with held(folder):
            files, wrong = self.tasks.call(there, sent(cell), packed(folder))
            unpacked(files, root)
        if wrong is not None:
            raise UserError(wrong)
        return measured(folder) or {}

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As the base class; what runs elsewhere is ended, or is done."""
        self.tasks.cancel()
        super().shutdown(wait, cancel_futures=cancel_futures)


def there(cell: Cell, files: bytes) -> tuple[bytes, str | None]:
    """What runs elsewhere: the cell in a folder of its own. Its files, and what went wrong."""
    with tempfile.TemporaryDirectory() as name:
        root, wrong = Path(name), None
        unpacked(files, root)
        try:
            run_cell(cell, root)
        except Stopped:
            raise
        except Exception as error:  # its log is to come back all the same
            wrong = f"{type(error).__name__}: {error}"
        return packed(cell.folder(root)), wrong


def sent(cell: Cell) -> Cell:
    """The cell, with its recipe found from any folder, where that is a file."""
    return replace(cell, recipe=str(Path(cell.recipe).resolve())) if Path(cell.recipe).is_file() else cell


def packed(folder: Path) -> bytes:
    """A cell's folder and its log; nothing where there is neither."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for path in (folder, log_of(folder)):
            if path.exists():
                archive.add(path, path.name, filter=lambda its: None if Path(its.name).name == NAME else its)
    return stream.getvalue()


def unpacked(files: bytes, root: Path) -> None:
    """What was packed, in this folder, over what is there."""
    with tarfile.open(fileobj=io.BytesIO(files), mode="r:gz") as archive:
        archive.extractall(root, filter="data")
