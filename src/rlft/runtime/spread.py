"""Pieces of work over workers that may be slow and may die: who gets which, and what is done again. Knows no library.

A piece's result depends on the piece alone, never on who does it, on what was done before or on the order in which
pieces are done. So a worker that dies loses nothing: its piece is done again elsewhere and comes out the same. A worker
has one piece at a time, so a slow one does fewer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any, Protocol, runtime_checkable

from rlft.types import UserError


class Lost(Exception):
    """A worker died, or its result is gone with it."""


@runtime_checkable
class Workers(Protocol):
    """Those who do it, by their numbers from 0."""

    count: int

    def submit(self, worker: int, piece: Any) -> Hashable:
        """Let this worker begin with a piece; what its result will be asked for by."""
        ...

    def finished(self, pieces: Sequence[Any]) -> Sequence[Any]:
        """Those of the submitted pieces that have ended, well or not: at least one, or none when the time is up."""
        ...

    def result(self, piece: Any) -> Any:
        """Its result; `Lost` if there is none, and whatever else the work itself raised."""
        ...

    def replace(self, worker: int, piece: Any) -> None:
        """Put another in the place of a worker that was lost with this piece."""
        ...


def spread(pieces: Sequence[Any], workers: Workers, most: int = 10) -> list[Any]:
    """The results of all pieces, in their order.

    UserError when more than `most` workers were lost in doing them, which is then no accident, or when the time is up.
    What the work itself raises is raised at once.
    """
    waiting, idle = deque(enumerate(pieces)), deque(range(workers.count))
    busy: dict[Any, tuple[int, int]] = {}
    results: dict[int, Any] = {}
    lost = 0
    while len(results) < len(pieces):
        while waiting and idle:
            (number, piece), worker = waiting.popleft(), idle.popleft()
            busy[workers.submit(worker, piece)] = number, worker
        ended = workers.finished(list(busy))
        if not ended:
            raise UserError(f"none of {workers.count} samplers answered in time: are there resources for all of them?")
        for handle in ended:
            number, worker = busy.pop(handle)
            try:
                results[number] = workers.result(handle)
            except Lost as error:
                lost += 1
                if lost > most:
                    raise UserError(
                        f"{lost} samplers died over one batch, the last of them: {error}; is there memory for all?"
                    ) from error
                workers.replace(worker, handle)
                waiting.appendleft((number, pieces[number]))
            idle.append(worker)
    return [results[number] for number in range(len(pieces))]
