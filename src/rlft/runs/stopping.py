"""Ctrl-C and SIGTERM while a run is going: the first is a request, the second ends at once. Saves nothing itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_SAID = b"\nrlft: stopping after this update, and saving; once more ends it at once, back to the last checkpoint\n"


@contextmanager
def stop_asked(said: bool = True) -> Iterator[Callable[[], bool]]:
    """Whether a first Ctrl-C or SIGTERM has come, which is answered (`said`); the next one raises KeyboardInterrupt.

    A signal reaches Python code only: a reward that hangs in Python is interrupted by it, one that hangs in a library's
    own code when that returns.
    """
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: Any) -> None:
        asked.append(number)
        if said:
            os.write(2, _SAID)  # a signal may come in the middle of a print, which must not be begun again
        for each in before:
            signal.signal(each, signal.default_int_handler)

    try:
        for number in before:
            signal.signal(number, ask)
    except ValueError:  # not the main thread
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
