"""A Python process on the side that calls the user's functions, and is killed when one takes too long.

Threads cannot be stopped and a fork of a process that computes may never wake up, so it is a fresh interpreter that
imports the functions by file and name. It is NOT a sandbox: a tool may do what its author lets it do.

The file is also that process's program, one JSON line in and one out. So it imports the standard library only.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

# In a tool's own process, so that a script without a main guard is not run by it once more.
MARK = "RLFT_TOOL_WORKER"
_START = 300.0
Place = tuple[str, str, str]
"""Module, file and name of a function."""


class Failed(Exception):
    """The call has no result; the message says why."""


class Unfit(Exception):
    """The functions cannot be called from a process on the side; the message says why."""


def place_of(function: Callable[..., Any]) -> Place:
    """Where another process finds the function; `Unfit` if it cannot."""
    if not inspect.isfunction(function) or not function.__qualname__.isidentifier():
        name = getattr(function, "__qualname__", repr(function))
        raise Unfit(f"{name} is not a function of a module, and a tool runs in a process of its own, which imports it")
    try:
        return function.__module__, os.path.abspath(inspect.getfile(function)), function.__qualname__
    except (OSError, TypeError):
        raise Unfit(
            f"{function.__qualname__} is in no file: put it in one, to be imported by the process of a tool"
        ) from None


class Worker:
    """Calls functions by their number. Started at the first call; safe to copy and fork; one call at a time."""

    def __init__(self, places: Sequence[Place]):
        self.places = tuple(places)
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def __reduce__(self) -> tuple[type[Worker], tuple[tuple[Place, ...]]]:
        return Worker, (self.places,)

    def call(self, number: int, arguments: dict[str, Any], seconds: float, longest: int) -> str:
        """What the function returns, as at most `longest` characters; `Failed` if it raises, dies or takes too long."""
        process = self._running()
        reply, late = _exchange(process, json.dumps([number, arguments, longest]), seconds)
        if late or not reply:
            process.kill()
            process.wait()
        if not reply:
            raise Failed(f"no result within {seconds:g} seconds" if late else "the tool ended its process")
        verdict, text = json.loads(reply)
        if verdict == "raised":
            raise Failed(text)
        return text

    def _running(self) -> subprocess.Popen[str]:
        alive = self._process is not None and self._owner == os.getpid() and self._process.poll() is None
        if alive and self._process is not None:
            return self._process
        process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, MARK: "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )
        hello, _ = _exchange(process, json.dumps([self.places, sys.path]), _START)
        if problem := json.loads(hello) if hello else f"it ended with code {process.wait()}":
            process.kill()
            process.wait()
            raise Unfit(f"the process of the tools did not start: {problem}")
        self._process, self._owner = process, os.getpid()
        weakref.finalize(self, _end, process, self._owner)
        return process


def _exchange(process: subprocess.Popen[str], line: str, seconds: float) -> tuple[str, bool]:
    """Write a line and read one, and whether time was up; the line is empty if the process ended or had to."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        reply = process.stdout.readline()
        return (reply if reply.endswith("\n") else ""), late.is_set()
    except BrokenPipeError:
        return "", late.is_set()
    finally:
        timer.cancel()


def _end(process: subprocess.Popen[str], owner: int) -> None:
    if os.getpid() == owner:  # a fork of the parent ends without taking the process along
        process.kill()
        process.wait()


def _found(module: str, file: str, name: str) -> Callable[..., Any]:
    """The function, from its module where that can be imported by name, else from its file."""
    try:
        if module == "__main__":
            raise ModuleNotFoundError(name=module)
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    spec = importlib.util.spec_from_file_location(f"tools_of_{os.path.basename(file)[:-3]}", file)
    assert spec is not None
    assert spec.loader is not None
    sys.path.append(os.path.dirname(file))
    sys.modules[spec.name] = found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return getattr(found, name)


def _serve() -> None:
    """The process: import the functions, then call them until the parent closes the pipe."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a tool prints is not a reply

        def say(value: Any) -> None:
            replies.write(json.dumps(value) + "\n")
            replies.flush()

        places, path = json.loads(sys.stdin.readline())
        sys.path[:] = path
        try:
            functions = [_found(*place) for place in places]
        except Exception as error:
            say(f"{type(error).__name__}: {error}")
            return
        say(None)
        for line in sys.stdin:
            number, arguments, longest = json.loads(line)
            try:
                result = functions[number](**arguments)
                text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)
                say(["returned", text[:longest]])
            except Exception as error:
                say(["raised", f"{type(error).__name__}: {error}"[:longest]])


if __name__ == "__main__":
    _serve()
