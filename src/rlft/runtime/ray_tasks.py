"""Calls as tasks of a Ray cluster, each in a process of one core and one thread.

A call and what it returns travel by value, so a function must not rest on files of its caller's machine. A task whose
process or machine dies is tried again elsewhere, four times in all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rlft.runtime.ray import begin, got, library
from rlft.runtime.spread import Lost
from rlft.types import UserError

_AGAIN = 3
# What a process takes from the one that asks, where it is set there.
_TOLD = ("RLFT_CACHE", "HF_HUB_OFFLINE")


class RayTasks:
    """What asks for calls and waits for them, from any number of threads.

    address  of a cluster that runs; None starts one on this machine with room for `count` calls, until `close`
    """

    def __init__(self, count: int, address: str | None = None):
        self.started = begin(address, count)
        self.lock, self.running = threading.Lock(), set[Any]()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns, or raises, somewhere in the cluster."""
        told = {"OMP_NUM_THREADS": "1", **{name: os.environ[name] for name in _TOLD if name in os.environ}}
        remote = library().remote(num_cpus=1, max_retries=_AGAIN, runtime_env={"env_vars": told})(_called)
        task = remote.remote(function, *arguments)
        with self.lock:
            self.running.add(task)
        try:
            return got(task)
        except Lost as error:
            raise UserError(f"its process died or was ended: {error}") from error
        finally:
            with self.lock:
                self.running.discard(task)

    def cancel(self) -> None:
        """End what still runs."""
        with self.lock:
            running, self.running = self.running, set()
        for task in running:
            with suppress(Exception):  # one that is just done
                library().cancel(task, force=True)

    def close(self) -> None:
        """And the cluster, if it was started here."""
        self.cancel()
        if self.started:
            self.started = False
            library().shutdown()


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
