"""A Python process on the side that answers one question at a time, and is killed when it takes too long.

Scorers that evaluate what a model wrote may never return, ask for all the memory there is, or depend on the process
they run in; here they cannot take the run with them, on any thread. By itself it is NOT a sandbox: it keeps accidents
away from files, processes and the network, not an attacker. In a `Jail` it is one.

The file is also that process's program: `python child.py SCRIPT` serves the script's function `answer`, a JSON line of
questions in and a line for each answer out. So it imports the standard library only.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO, runtime_checkable

# The budget is the child's own processor time, so that a busy machine does not change a verdict; the wall clock is
# only for a child that waits for something.
_WALL, _START = 20.0, 300.0
_MEMORY = 4 << 30


@runtime_checkable
class Place(Protocol):
    """Where a child runs, such as a `jail.Jail`."""

    def start(self, command: Sequence[str], environment: Mapping[str, str], first: bool = False) -> Any:
        """The running process, a `Popen` with text pipes."""
        ...


class Unanswered(Exception):
    """The question has no answer: the child was late, died, or raised what the message says."""


class Child:
    """Serves `answer(*question)` of a script. Started at the first question; safe to pickle, fork and share by threads.

    Its hash seed is fixed, so that what iterates over a set is the same on every machine. Without a `place` it runs
    beside this process, bare; with a jail inside it, where it sees the script and what the jail shows. A `first` one is
    the jail's process 1. A script with `CONFINES = True` limits what it runs by itself, and has no limit of its own.
    """

    def __init__(self, script: Path, place: Place | None = None, python: str = sys.executable, first: bool = False):
        self.script, self.place, self.python, self.first = script, place, python, first
        self._lock, self._locked_in = threading.Lock(), os.getpid()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def __reduce__(self) -> tuple[type[Child], tuple[Any, ...]]:
        return Child, (self.script, self.place, self.python, self.first)

    def ask(self, *question: Any, seconds: float, wall: float | None = None) -> Any:
        """The answer, as JSON has it; `Unanswered` after this much processor time, or when the script raised."""
        if isinstance(reply := self.ask_all([question], seconds=seconds, wall=wall)[0], Unanswered):
            raise reply
        return reply

    def ask_all(self, questions: Sequence[Sequence[Any]], *, seconds: float, wall: float | None = None) -> list[Any]:
        """The answers in their order, asked for at once; `seconds` are for each. One that fails is an `Unanswered`.

        `wall` seconds of the clock on the wall for each, twenty times the processor time by default.
        """
        wall = _WALL * seconds if wall is None else wall
        replies: list[Any] = []
        with self._alone():
            while len(replies) < len(questions):
                process, rest = self._running(), questions[len(replies) :]
                replies += _answers(_exchange(process, json.dumps([seconds, rest]), len(rest), wall))
                if len(replies) < len(questions):  # this one ended the process
                    process.kill()
                    process.wait()
                    replies.append(Unanswered(f"no answer within {seconds:g} seconds"))
        return replies

    def _alone(self) -> threading.Lock:
        if self._locked_in != os.getpid():  # a fork may have come while a thread that it has not held the lock
            self._lock, self._locked_in = threading.Lock(), os.getpid()
        return self._lock

    def _running(self) -> subprocess.Popen[str]:
        alive = self._process is not None and self._owner == os.getpid() and self._process.poll() is None
        if alive and self._process is not None:
            return self._process
        process = self._started()
        if not (hello := _exchange(process, "", 1, _START)):
            process.kill()
            raise RuntimeError(f"{self.script.name} did not start (exit code {process.wait()})")
        if problem := json.loads(hello[0]):
            raise RuntimeError(f"{self.script.name} did not start: {problem}")
        self._process, self._owner = process, os.getpid()
        weakref.finalize(self, _end, process, self._owner)
        return process

    def _started(self) -> subprocess.Popen[str]:
        command = [self.python, "-P", __file__, str(self.script)]
        own = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        if self.place is not None:
            return self.place.start(command, own, self.first)
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, **own},
        )


def _exchange(process: subprocess.Popen[str], line: str, replies: int, seconds: float) -> list[str]:
    """Write a line and read so many, `seconds` for each; fewer if the process ended or had to be ended.

    The child reads a line to its end before it answers, so neither side waits for the other with a full pipe.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    lines: list[str] = []
    while len(lines) < replies:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            if not lines:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            if not (reply := process.stdout.readline()):
                break
            lines.append(reply)
        except BrokenPipeError:
            break
        finally:
            timer.cancel()
    return lines


def _answers(lines: Sequence[str]) -> list[Any]:
    said = [json.loads(line) for line in lines]
    return [Unanswered(value) if verdict == "raised" else value for verdict, value in said]


def _end(process: subprocess.Popen[str], owner: int) -> None:
    if os.getpid() == owner:  # a fork of the parent ends without taking the child along
        process.kill()
        process.wait()


def _serve(script: str) -> None:
    """The child: load the script, then answer until the parent closes the pipe."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is not a reply
    sys.stdin.readline()
    served: dict[str, Any] = {}
    try:
        served = runpy.run_path(script)
        answer, problem = served["answer"], None
    except Exception as error:
        answer, problem = None, f"{type(error).__name__}: {error}"
    _say(replies, problem)
    if answer is None:
        return
    _other_user()
    budget = _unlimited
    if not served.get("CONFINES"):
        budget = _limited()
        sys.addaudithook(_keep_out)
    for line in sys.stdin:
        seconds, questions = json.loads(line)
        for question in questions:
            budget(seconds)
            try:
                reply = json.dumps(["answer", answer(*question)])
            except BaseException as error:
                reply = json.dumps(["raised", f"{type(error).__name__}: {str(error)[:300]}"])
            budget(0)
            replies.write(reply + "\n")
            replies.flush()


def _say(replies: TextIO, value: Any) -> None:
    replies.write(json.dumps(value) + "\n")
    replies.flush()


def _limited() -> Callable[[float], Any]:
    """Limit memory; the function that limits the processor time of what follows, also inside one long C call."""
    if sys.platform == "win32":  # only the parent's clock is left
        return lambda seconds: None
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
    return lambda seconds: signal.setitimer(signal.ITIMER_PROF, seconds)  # nobody handles SIGPROF: it ends the process


def _other_user() -> None:
    """In a jail that root has made, what is loaded goes on as a user that owns nothing; process 1 is no user's."""
    if os.environ.get("RLFT_JAIL") == "another user" and os.getpid() != 1:
        user = 20000 + os.urandom(1)[0] * 64
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _unlimited(seconds: float) -> None:
    """For a script that limits what it runs."""


def _keep_out(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what no scorer needs. sympy's `parse_expr`, which several use, evaluates Python."""
    if event in ("os.listdir", "os.scandir"):  # import looks for modules
        return
    writes = event == "open" and isinstance(arguments[1], str) and arguments[1] not in ("r", "rb")
    if writes or event.split(".")[0] in ("os", "subprocess", "socket", "shutil", "ctypes", "winreg", "msvcrt"):
        raise PermissionError(f"{event} is not for a scorer")


if __name__ == "__main__":
    _serve(sys.argv[1])
