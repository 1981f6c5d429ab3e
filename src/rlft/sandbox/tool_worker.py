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
import queue
import secrets
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
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
    """Calls functions by their number. Started at the first call; safe to copy and fork; one call at a time.

    The process leads a group of its own, and when a call is late, or nobody needs it any more, all of the group ends.
    """

    def __init__(self, places: Sequence[Place]):
        self.places = tuple(places)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def __reduce__(self) -> tuple[type[Worker], tuple[tuple[Place, ...]]]:
        return Worker, (self.places,)

    def call(self, number: int, arguments: dict[str, Any], seconds: float, longest: int) -> str:
        """What the function returns, as at most `longest` characters; `Failed` if it raises, dies or takes too long."""
        process, secret = self._running(), secrets.token_hex(16)
        try:
            reply = _exchange(process, [secret, number, arguments, longest], seconds, 12 * longest + 1000)
            known, verdict, text = reply
            if known != secret or verdict not in ("returned", "raised") or not isinstance(text, str):
                raise ValueError
        except TimeoutError:
            _kill(process)
            raise Failed(f"no result within {seconds:g} seconds") from None
        except EOFError:
            _kill(process)
            raise Failed("the tool ended its process") from None
        except (ValueError, TypeError, RecursionError):  # nobody knows this call's secret but who was asked
            _kill(process)
            raise Failed("the tool wrote where its replies go") from None
        except BaseException:  # an interrupt: the reply would be taken for that of the next call
            _kill(process)
            raise
        if verdict == "raised":
            raise Failed(text)
        return text

    def _running(self) -> subprocess.Popen[bytes]:
        alive = self._process is not None and self._owner == os.getpid() and self._process.poll() is None
        if alive and self._process is not None:
            return self._process
        process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, MARK: "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )
        for end in (process.stdin, process.stdout):
            assert end is not None
            os.set_blocking(end.fileno(), False)
        try:
            problem = _exchange(process, [self.places, sys.path], _START, 2**20)
        except (EOFError, TimeoutError, ValueError) as error:
            _kill(process)
            problem = f"it ended with code {process.returncode}" if isinstance(error, EOFError) else "it did not answer"
        if problem:
            _kill(process)
            raise Unfit(f"the process of the tools did not start: {problem}")
        self._process, self._owner = process, os.getpid()
        weakref.finalize(self, _end, process, self._owner)
        return process


def _exchange(process: subprocess.Popen[bytes], said: Any, seconds: float, most: int) -> Any:
    """Write a line of JSON and read one of at most so many bytes.

    TimeoutError when time is up, whoever holds the pipes; EOFError if they are closed; ValueError for anything else.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    until = time.monotonic() + seconds
    left, reply = json.dumps(said).encode() + b"\n", b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.register(process.stdin, selectors.EVENT_WRITE)
        while not reply.endswith(b"\n"):
            found = ready.select(max(until - time.monotonic(), 0))
            if not found:
                raise TimeoutError
            for key, _ in found:
                if key.fileobj is process.stdout:
                    part = os.read(process.stdout.fileno(), 2**16)
                    if not part:
                        raise EOFError
                    reply += part
                else:
                    try:
                        left = left[os.write(process.stdin.fileno(), left) :]
                    except BrokenPipeError:
                        raise EOFError from None
                    if not left:
                        ready.unregister(process.stdin)
            if len(reply) > most:
                raise ValueError
    return json.loads(reply)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:  # a fork of the parent ends without taking the process along
        _kill(process)


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
    """The process: import the functions, then call them until the parent closes the pipe, which ends all the group."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with os.fdopen(_own(0, os.O_RDONLY), "rb") as asked, os.fdopen(_own(1, os.O_WRONLY), "wb") as replies:

        def listen() -> None:
            for line in asked:
                lines.put(line)
            os.killpg(0, signal.SIGKILL)  # also in the middle of a call

        def say(value: Any) -> None:
            replies.write(json.dumps(value).encode() + b"\n")
            replies.flush()

        threading.Thread(target=listen, daemon=True).start()
        places, path = json.loads(lines.get())
        sys.path[:] = path
        try:
            functions = [_found(*place) for place in places]
        except Exception as error:
            say(f"{type(error).__name__}: {error}")
            return
        say(None)
        while True:
            secret, number, arguments, longest = json.loads(lines.get())
            here = os.getpid()
            try:
                result = functions[number](**arguments)
                text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)
                said = [secret, "returned", text[:longest]]
            except Exception as error:
                said = [secret, "raised", f"{type(error).__name__}: {error}"[:longest]]
            if os.getpid() != here:  # a fork that came back: there is one reply
                os._exit(1)
            say(said)


def _own(number: int, mode: int) -> int:
    """A standard stream under another number, which no program that a tool starts inherits; a tool has an empty one."""
    kept = os.dup(number)
    empty = os.open(os.devnull, mode)
    os.dup2(empty, number)
    os.close(empty)
    return kept


if __name__ == "__main__":
    _serve()
