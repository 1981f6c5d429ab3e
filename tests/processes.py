"""Processes for tests without a start of Python and of torch: forks of the tests' own, with what is imported already.

For what has to die, or to be several, and need not be a command; at least one test of each kind starts the command.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FORK = multiprocessing.get_context("fork")


def start(function: Callable[..., Any], *arguments: Any, into: Path, **environment: str):
    """A process that runs `function(*arguments)`; what it prints stands in `into`.out and `into`.err."""
    process = _FORK.Process(target=_run, args=(function, arguments, into, environment))
    process.start()
    return process


def done(process, into: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Wait for it."""
    process.join(timeout)
    assert process.exitcode is not None, f"not done after {timeout} s"
    said = [into.with_suffix(end).read_text() for end in (".out", ".err")]
    return subprocess.CompletedProcess([], process.exitcode, *said)


def _run(function, arguments, into, environment):
    for stream, end in (("stdout", ".out"), ("stderr", ".err")):
        file = into.with_suffix(end).open("w")  # closed with the process
        os.dup2(file.fileno(), 1 if stream == "stdout" else 2)
        setattr(sys, stream, file)
    os.environ.update(environment)
    try:
        function(*arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
