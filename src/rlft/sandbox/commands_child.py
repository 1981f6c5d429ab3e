"""What the process in the jail runs for `commands`: tools, on files of their own. Not for import elsewhere."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

CONFINES = True
_CAGED = "RLFT_JAIL" in os.environ  # outside one, neither other processes nor /tmp are this script's to end or to empty
_WRITABLE = ("/tmp", "/dev/shm")
_SAID = 200_000


def answer(
    files: Mapping[str, str],
    commands: Sequence[tuple[Sequence[str], str]],
    wanted: Sequence[str],
    limits: Mapping[str, Any],
) -> tuple[list[tuple[int | None, str]], dict[str, str]]:
    """Exit code and output of each command, and the `wanted` files that are there after them.

    A command is its words and its input. They run one after the other in a fresh folder with the `files`, up to the
    first whose code is not 0; no code for one that takes more than `seconds` of processor time, or four times as many.
    """
    folder = Path(tempfile.mkdtemp())
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", errors="replace")
        ran: list[tuple[int | None, str]] = []
        for words, given in commands:
            ran.append(_run(words, given, folder, limits))
            if ran[-1][0] != 0:
                break
        return ran, {name: text for name in wanted if (text := _text(folder / name)) is not None}
    finally:
        clear(folder)


def _run(words: Sequence[str], given: str, folder: Path, limits: Mapping[str, Any]) -> tuple[int | None, str]:
    seconds = float(limits["seconds"])

    def limit() -> None:
        for what, most in (
            (resource.RLIMIT_AS, int(limits["memory"])),
            (resource.RLIMIT_CPU, int(seconds) + 1),
            (resource.RLIMIT_FSIZE, int(limits["disk"])),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))

    # Files without a name: a pipe would have to be read while the command is waited for.
    with tempfile.TemporaryFile() as taken, tempfile.TemporaryFile() as said:
        taken.write(given.encode("utf-8", "replace"))
        taken.seek(0)
        process = subprocess.Popen(
            words, stdin=taken, stdout=said, stderr=subprocess.STDOUT, cwd=folder, preexec_fn=limit, process_group=0
        )
        began = time.monotonic()
        try:
            code: int | None = process.wait(4 * seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # Out of processor time, or killed by a clock: not a fault of the tool's.
        late = code in (-signal.SIGXCPU, -signal.SIGKILL) and time.monotonic() - began >= seconds / 2
        said.seek(0)
        return None if late else code, said.read(_SAID).decode("utf-8", "replace")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def clear(folder: Path) -> None:
    """End what is left running and remove what was written, so that the next one finds nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    if not _CAGED:
        return
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # all that this user may end, but for itself and the jail's first process
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    for place in map(Path, _WRITABLE):
        for left in place.iterdir():
            with suppress(OSError):
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
