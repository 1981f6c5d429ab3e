"""What the process in the jail runs: a Python interpreter that forks for each program. Not for import elsewhere.

It is process 1 of the jail, so nothing inside can kill it, and what a program leaves running becomes its child. After
each program it kills every other process of the jail, waits until there is none, and empties what can be written; if it
cannot, it ends, and the jail with it. A program is run by a fork which has given up what it could misuse: the pipes of
this process, its user (in one form of the jail), and all but the limits that it was given.

What a program says is data and proves nothing; what was expected of it is not here. The interpreter has read earlier
programs, so what they were may still stand somewhere in a fork's memory.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import json
import math
import os
import random
import resource
import selectors
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from types import ModuleType
from typing import Any

CONFINES = True
# What programs import most is read once for all of them.
for _name in ("bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools"):
    importlib.import_module(_name)
for _name in ("inspect", "operator", "queue", "re", "statistics", "string", "typing"):
    importlib.import_module(_name)

# Two conditions for what would be terrible outside a jail: to kill every process, to empty /tmp.
_FORM = os.environ.pop("RLFT_JAIL", "") if os.getpid() == 1 else ""
_WRITABLE = ("/tmp", "/dev/shm")
# As root another user, who has no other processes; that this can be done the jail has tried.
_USER = 20000 + int.from_bytes(os.urandom(2), "little") % 20000 if _FORM == "another user" else None
_PART, _VALUE = 1 << 16, 3
_RAISED, _NO_DATA = 1, 3
_LAST_WORDS = {
    "MemoryError": "memory",
    "OSError: [Errno 12]": "memory",
    "OSError: [Errno 27]": "disk",
    "OSError: [Errno 28]": "disk",
    "BlockingIOError: [Errno 11]": "processes",
    "RuntimeError: can't start new thread": "processes",
}
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python handles it, and process 1 is spared only what nobody handles
_libc = ctypes.CDLL(None)
_libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: the same user may then neither trace it nor write to its memory
if not _FORM:
    _libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become its children, as they do of process 1


def answer(ask: str, *arguments: Any) -> Any:
    """The reply to one of the questions below."""
    return {"run": run, "bounded": bounded}[ask](*arguments)


def run(source: str, function: str | None, given: str, limits: dict[str, float]) -> dict[str, Any]:
    """What became of one program: `reason`, `detail`, `code`, `stdout`, `stderr`, `value`, `seconds`, `wall`.

    Without a `function` the source is run as a script that reads `given`; with one it is run, and then the function (or
    method of a class `Solution`) is called with the arguments that `given` has as JSON. `value` is what it returned, as
    JSON.
    """
    began = time.monotonic()
    pipes = [os.pipe() for _ in range(4)]
    folder = "/tmp" if _FORM else tempfile.mkdtemp(prefix="rlft_program_")
    pid = os.fork()
    if pid == 0:
        try:
            _become(pipes, limits, folder)
            _program(source, function, given)
        finally:  # whatever happened, this fork never goes back to serve
            os._exit(_RAISED)
    for end in (pipes[0][0], *(pipe[1] for pipe in pipes[1:])):
        os.close(end)
    attended = _Attended(pid, [pipes[0][1], *(pipe[0] for pipe in pipes[1:])], limits)
    try:
        why = attended.until_ended(b"" if function else given.encode(), began + limits["wall"])
    finally:
        attended.close()
    code, seconds = _ended(pid)
    _emptied(folder)
    stdout, stderr, value = (bytes(said).decode("utf-8", "replace") for said in attended.said)
    reason, detail = _reason(why, code, seconds, stderr, limits)
    if reason == "exit" and function and code == _NO_DATA:
        reason = "type"
    spent = {"code": code, "seconds": seconds, "wall": time.monotonic() - began}
    return {"reason": reason, "detail": detail, "stdout": stdout, "stderr": stderr[-2000:], "value": value, **spent}


def bounded() -> str:
    """What bounds the number of a program's processes here: it is tried."""
    if not _FORM:
        return "nothing but the clock"
    pid = os.fork()
    if pid == 0:
        try:
            _as_user()
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            try:
                os.fork()
            except OSError:
                os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _ended(0)
    return f"a limit ({_FORM})" if code == 0 else "the clock, which ends all of them"


class _Attended:
    """The pipes of a running program: its input, and what it says on its output, its error output and as its value."""

    def __init__(self, pid: int, ends: list[int], limits: dict[str, float]):
        self.input, self.outputs, self.room = ends[0], ends[1:], int(limits["output"])
        self.said = [bytearray() for _ in self.outputs]
        self.process = os.pidfd_open(pid)
        for end in ends:
            os.set_blocking(end, False)

    def until_ended(self, given: bytes, until: float) -> str:
        """Why the program has to be ended, or nothing if it has ended."""
        with selectors.DefaultSelector() as ready:
            ready.register(self.process, selectors.EVENT_READ, "end")
            ready.register(self.input, selectors.EVENT_WRITE, "input")
            for place, end in enumerate(self.outputs):
                ready.register(end, selectors.EVENT_READ, place)
            while True:
                found = ready.select(max(until - time.monotonic(), 0))
                for key, _ in found:
                    if key.data == "input":
                        given = self._give(given)
                        if not given:
                            ready.unregister(self.input)
                            os.close(self.input)
                            self.input = -1
                    elif key.data != "end" and not self._take(key.data):
                        ready.unregister(key.fd)
                if sum(map(len, self.said)) > self.room:
                    return "output"
                if any(key.data == "end" for key, _ in found):
                    return self._rest()
                if not found or time.monotonic() > until:
                    return "wall"

    def close(self) -> None:
        """Of a program that still writes, or has children that do, nothing more is read."""
        for end in (*self.outputs, self.process, *([self.input] if self.input >= 0 else [])):
            os.close(end)

    def _rest(self) -> str:
        """What was written before the end is still in the pipes."""
        for place in range(len(self.outputs)):
            while self._take(place):
                if sum(map(len, self.said)) > self.room:
                    return "output"
        return ""

    def _give(self, given: bytes) -> bytes:
        try:
            return given[os.write(self.input, given[:_PART]) :]
        except BlockingIOError:
            return given
        except OSError:  # it does not read on
            return b""

    def _take(self, place: int) -> bool:
        """Whether there was something to read."""
        try:
            part = os.read(self.outputs[place], _PART)
        except BlockingIOError:
            return False
        self.said[place] += part
        return bool(part)


def _ended(pid: int) -> tuple[int, float]:
    """Kill all that is left of a program, and wait until it is gone: the exit code (or -signal), processor seconds."""
    code, seconds = 0, 0.0
    while True:
        if _FORM and os.getpid() == 1:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            _kill_own(pid)
        try:
            one, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            return code, seconds
        if one == pid:
            code, seconds = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def _kill_own(pid: int) -> None:
    """Outside a jail: the program's group, and the children of this process."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, ValueError):
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            if parent == os.getpid():
                os.kill(int(name), signal.SIGKILL)


def _emptied(folder: str) -> None:
    """Nothing that a program wrote is left for the next, or this process ends, and the jail with it."""
    if not _FORM:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for place in _WRITABLE:
        left = []
        os.chmod(place, 0o1777)
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                else:
                    os.unlink(entry.path)
        if left and (pid := os.fork()) == 0:
            try:
                _as_user()  # who alone may enter them
                for path in left:
                    _remove(path)
            finally:
                os._exit(0)
        elif left:
            os.waitpid(pid, 0)
        if os.listdir(place) or os.listxattr(place):
            os._exit(1)


def _remove(folder: str) -> None:
    """Also where the program has forbidden to look."""
    os.chmod(folder, 0o700)
    for path, inner, _ in os.walk(folder):
        for name in inner:
            if not os.path.islink(inside := os.path.join(path, name)):
                os.chmod(inside, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _reason(why: str, code: int, seconds: float, stderr: str, limits: dict[str, float]) -> tuple[str, str]:
    if why == "wall":
        return "timeout", f"not ended after {limits['wall']:g} seconds"
    if why == "output":
        return "output", f"more than {limits['output']:.0f} bytes"
    late = code == -signal.SIGKILL and seconds >= limits["seconds"]
    if code in (-signal.SIGPROF, -signal.SIGXCPU) or late:
        return "timeout", f"more than {limits['seconds']:g} seconds of processor time"
    last = (stderr.strip().splitlines() or [""])[-1][:200]
    if code < 0:
        return "killed", f"signal {-code}"
    if code == 0:
        return "ok", ""
    found = next((reason for words, reason in _LAST_WORDS.items() if last.startswith(words)), None)
    return found or "exit", last or f"exit code {code}"


# What follows happens in the fork.


def _as_user() -> None:
    if _USER is not None:
        os.setgroups([])
        os.setresgid(_USER, _USER, _USER)
        os.setresuid(_USER, _USER, _USER)


def _become(pipes: list[tuple[int, int]], limits: dict[str, float], folder: str) -> None:
    """From the interpreter to a process that has nothing but its four pipes and its limits."""
    os.setsid()
    for number, end in enumerate((pipes[0][0], *(pipe[1] for pipe in pipes[1:]))):
        os.dup2(end, number)
    os.closerange(_VALUE + 1, os.sysconf("SC_OPEN_MAX"))
    _as_user()
    os.chdir(folder)
    whole = math.ceil(limits["seconds"])
    bounds = {"AS": limits["memory"], "FSIZE": limits["disk"], "STACK": 64 << 20, "NOFILE": 64}
    bounds |= {"CORE": 0, "MSGQUEUE": 0, "MEMLOCK": 0}
    if _FORM:  # users count this process too
        bounds["NPROC"] = limits["processes"] + (_USER is None)
    for name, bound in bounds.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (int(bound), int(bound)))
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_PROF, limits["seconds"])  # finer than whole seconds, for whoever leaves it alone


def _program(source: str, function: str | None, given: str) -> None:
    """Run it as an interpreter would, to its exit code."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        stream = os.fdopen(number, mode, encoding="utf-8", errors="replace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["main.py"]
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__["__file__"] = "main.py"
    atexit._clear()
    random.seed(0)  # each program draws the same, so a verdict can be had again
    code = _RAISED
    try:
        exec(compile(source, "main.py", "exec"), main.__dict__)
        if function is not None:
            code = _NO_DATA
            value = json.dumps(_found(main, function)(*json.loads(given))).encode()
            while value:
                value = value[os.write(_VALUE, value) :]
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if not isinstance(ended.code, int | None):
            print(ended.code, file=sys.stderr)
    except BaseException as error:
        with suppress(BaseException):
            sys.excepthook(type(error), error, error.__traceback__)
    with suppress(BaseException):
        vars(threading)["_shutdown"]()
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)


def _found(main: ModuleType, function: str) -> Any:
    kind = main.__dict__.get("Solution")
    if isinstance(kind, type) and function in vars(kind):
        return getattr(kind(), function)
    if function not in main.__dict__:
        raise NameError(f"the program defines no function {function}")
    return main.__dict__[function]
