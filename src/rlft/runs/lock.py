"""A run folder belongs to one process at a time: a lock of the operating system, which ends with its process.

The lock is on a file `.lock` in the folder, which says who holds it and is gone when nobody does. Nothing waits here.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlft.errors import UserError

try:
    import fcntl
except ImportError:  # a system without them
    fcntl = None

NAME = ".lock"


@dataclass
class Hold:
    """A folder that this process holds.

    began  whether this process made what is in it, so that it may also remove it
    fresh  whether the folder itself was made
    left   who held it before and ended without a word, killed or by `os._exit`; None where the last one ended well
    """

    folder: Path
    thread: int
    began: bool = False
    fresh: bool = False
    left: dict[str, Any] | None = None


_HELD: dict[Path, Hold] = {}


@contextmanager
def held(folder: Path, here: bool = True) -> Iterator[Hold]:
    """Hold a run folder, which is made if it is not there; within a hold of the same thread it is that one.

    `here` is whether this process is the one that writes (of several under torchrun the first); another holds nothing.
    `UserError` with who it is where somebody else is in the folder, and where it cannot be written.
    """
    place = folder.resolve()
    hold = _HELD.get(place)
    if not here or (hold is not None and hold.thread == threading.get_ident()):
        yield hold or Hold(place, threading.get_ident())
        return
    if hold is not None:
        raise UserError(f"{folder} is in use by another thread of this process")
    hold = Hold(place, threading.get_ident(), fresh=not place.exists())
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor = _taken(place / NAME, hold)
    except OSError as error:
        raise UserError(f"cannot work in the run folder {folder}: {error.strerror or error}") from error
    _HELD[place] = hold
    owner = os.getpid()
    try:
        yield hold
    finally:
        if os.getpid() == owner:  # a fork that comes back here holds nothing
            del _HELD[place]
            with suppress(OSError):
                (place / NAME).unlink()
            os.close(descriptor)
            if hold.fresh and place.is_dir():
                with suppress(OSError):
                    place.rmdir()  # if nothing came of it


def _taken(path: Path, hold: Hold) -> int:
    """The locked file's descriptor. It is let go by `close`, and by the kernel when the process ends.

    A lock of the process and not of the open file: a fork that outlives a killed run does not keep the folder. It is
    lost when this process closes the file even once, so it is read through this descriptor alone.
    """
    current = False
    while not current:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_EXCL if fcntl is None else 0), 0o666)
            _lock(descriptor)
        except (BlockingIOError, PermissionError, FileExistsError) as error:
            if isinstance(error, PermissionError) and not os.access(path.parent, os.W_OK):
                raise
            raise UserError(_in_use(path.parent, _read(path))) from error
        try:
            current = path.stat().st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            current = False
        if not current:
            os.close(descriptor)  # whoever held it removed the file between our opening and locking it
    hold.left = _parsed(os.read(descriptor, 4096))
    me = {"pid": os.getpid(), "host": platform.node(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(me).encode())
    return descriptor


def _lock(descriptor: int) -> None:
    """Lock the file, or raise as the system does; where it knows no locks, go on without one."""
    if fcntl is None:
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            os.close(descriptor)
            raise BlockingIOError(error.errno, error.strerror) from error


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def told(who: dict[str, Any] | None) -> str:
    """`process 12 on HOST, since TIME`."""
    who = who or {}
    return f"process {who.get('pid', '?')} on {who.get('host', '?')}, since {who.get('since', '?')}"


def _in_use(folder: Path, who: dict[str, Any] | None) -> str:
    return f"{folder} is in use by {told(who)}: wait for it, or stop it, then try again"
