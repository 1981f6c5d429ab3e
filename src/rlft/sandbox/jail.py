"""The jail: a process that sees no network, no file but what it is shown, no other process. Built by bubblewrap.

What is inside has a read-only root of `/usr`, Python and the folders it is shown; a `/tmp` and `/dev/shm` in memory, of
limited size; processes, network, IPC and host name of its own; no environment, no descriptor, no capability that it
could use, and fewer system calls (`syscalls`). It ends with the process that started it. How much time and memory a
program may take is limited by the child inside (`child`, `programs_child`), a Python process with one protocol.

There are two forms, and the first that works here is taken:

    another user     started by root: programs run as a user that owns nothing and has no other processes
    user namespace   started by anyone else, where the kernel lets users make namespaces

`UserError` where neither works: nothing that a model wrote is run bare, unless `Bare()` is given in place of a jail.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

from rlft.errors import UserError
from rlft.sandbox.syscalls import seccomp_filter

MARK = "RLFT_JAIL"
"""In the environment of what is inside, with the name of the form."""
_NAMESPACES = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
_ENDS = ["--die-with-parent", "--new-session", "--hostname", "jail", "--clearenv", "--cap-drop", "ALL"]
# To become another user, and to end what that user has started. The programs themselves keep nothing of it.
_CAPABLE = [word for name in ("SETUID", "SETGID", "KILL") for word in ("--cap-add", f"CAP_{name}")]
FORMS: dict[str, list[str]] = {
    "another user": _CAPABLE,
    "user namespace": ["--unshare-user", "--uid", "1000", "--gid", "1000"],
}
_WRITABLE = ("/tmp/", "/dev/shm/")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_TRIAL = {
    "another user": "import os; os.setgroups([]); os.setgid(40000); os.setuid(40000); open(os.__file__).close()",
    "user namespace": "",
}


@final
@dataclass(frozen=True)
class Jail:
    """What is inside sees of outside, and how much it may write.

    reads   files and folders that are shown to it, read-only, besides `/usr` and Python's standard library
    disk    bytes of `/tmp`; `/dev/shm` has as many
    """

    reads: tuple[Path, ...] = ()
    disk: int = 64 << 20

    def start(self, command: Sequence[str], environment: Mapping[str, str], first: bool = False) -> Any:
        """The running process of a Python program inside, with text pipes to its input and output.

        `command` begins with the interpreter. A `first` program is process 1 of the jail, which nobody inside can kill
        and with which all of it ends; it must then reap what it inherits.
        """
        form, command = here(), [_inside(word) for word in command]
        words = [*self._words(form), *(["--as-pid-1"] if first else [])]
        for name, value in {**_ENVIRONMENT, **environment, MARK: form}.items():
            words += ["--setenv", name, value]
        filtered = seccomp_filter()
        if filtered is None:
            return spawned([*words, "--", *command])
        reading, writing = os.pipe()
        try:
            os.write(writing, filtered)
            os.close(writing)
            return spawned([*words, "--seccomp", str(reading), "--", *command], (reading,))
        finally:
            os.close(reading)

    def seen(self, path: Path) -> str:
        """Where one of `reads` is, seen from inside."""
        return _inside(path)

    def _words(self, form: str) -> list[str]:
        words = [_bubblewrap(), *_NAMESPACES, *_ENDS, *FORMS[form], *_system()]
        for path in dict.fromkeys([sys.base_prefix, Path(__file__).parent, *self.reads]):
            if not f"{path}/".startswith("/usr/"):
                # Folders above it are made for root alone unless they are named.
                words += [
                    word for above in reversed(Path(_inside(path)).parents[:-1]) for word in ("--dir", str(above))
                ]
                words += ["--ro-bind", str(path), _inside(path)]
        words += ["--proc", "/proc", "--tmpfs", "/dev"]
        for device in _DEVICES:
            words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        # A bare `--tmpfs` may take half of the memory there is, so those that stay writable have a size.
        for folder in _WRITABLE:
            words += ["--perms", "1777", "--size", str(self.disk), "--tmpfs", folder]
        return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]


@final
@dataclass(frozen=True)
class Bare:
    """No jail: programs run as this user, who can read, write and send whatever the user can.

    They have the limits of time, memory and output, no more. For a machine that is a jail itself.
    """

    def seen(self, path: Path) -> str:
        """Where a path is."""
        return str(path)

    def start(self, command: Sequence[str], environment: Mapping[str, str], first: bool = False) -> Any:
        """The running process."""
        return spawned(command, environment={**_ENVIRONMENT, **environment})


_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}


def interpreter() -> str:
    """The Python that is in every jail: this one without its virtual environment, so with the standard library only."""
    return os.path.realpath(sys.executable)


def packages() -> tuple[Path, ...]:
    """What a jail must show for this process's packages to be importable by `sys.executable` inside."""
    folders = [Path(sys.prefix), *(Path(entry) for entry in sys.path if entry.endswith("-packages"))]
    return tuple(folder for folder in folders if folder.is_dir())


@lru_cache(maxsize=1)
def here() -> str:
    """The first of `FORMS` that works on this machine, tried once; `UserError` if none does."""
    said = ""
    for form in FORMS:
        if form == "another user" and os.geteuid() != 0:
            continue
        tried = subprocess.run(
            [*Jail()._words(form), "--", interpreter(), "-I", "-S", "-c", _TRIAL[form]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if tried.returncode == 0:
            return form
        said = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    raise UserError(
        f"bubblewrap cannot make a jail here ({said}), and programs are not run without one. It needs version 0.7 or "
        "later, and either root or a kernel that lets users make namespaces (user.max_user_namespaces; in a container, "
        "its seccomp profile)"
    )


def _inside(path: str | Path) -> str:
    """Where a file or folder outside is seen inside; what lies where programs write is shown elsewhere."""
    return f"/shown{path}" if str(path).startswith(_WRITABLE) else str(path)


def _bubblewrap() -> str:
    if sys.platform != "linux":
        raise UserError(f"the jail for programs is bubblewrap, which is for Linux; this is {sys.platform}")
    if (found := shutil.which("bwrap")) is None:
        raise UserError(
            "programs run in a jail made by bubblewrap, and there is no `bwrap` here: apt-get install bubblewrap"
        )
    return found


def _system() -> list[str]:
    """`/usr`, and the folders beside it that are links into it or, on older systems, folders."""
    words = ["--ro-bind", "/usr", "/usr", "--dir", "/etc"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        place = Path("/", name)
        if place.is_symlink():
            words += ["--symlink", os.readlink(place), str(place)]
        elif place.is_dir():
            words += ["--ro-bind", str(place), str(place)]
    for name in ("/etc/ld.so.cache", "/etc/alternatives", "/nix/store"):
        words += ["--ro-bind-try", name, name]
    return words


def spawned(
    command: Sequence[str], keep: tuple[int, ...] = (), environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """A process with text pipes, started by a thread that lives as long as this process does.

    `--die-with-parent` means the thread that started it: a pool's thread would take the jail along when it ends.
    """
    return _starter(os.getpid())(
        lambda: subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            pass_fds=keep,
            env=None if environment is None else dict(environment),
        )
    )


@lru_cache(maxsize=1)
def _starter(owner: int) -> Callable[[Callable[[], Any]], Any]:
    """Calls functions in a thread of their own; one thread for each process, since a fork has none of its parent's."""
    asked: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[tuple[Any, BaseException | None]]]]
    asked = queue.SimpleQueue()

    def serve() -> None:
        while True:
            call, reply = asked.get()
            try:
                reply.put((call(), None))
            except BaseException as error:
                reply.put((None, error))

    def call(function: Callable[[], Any]) -> Any:
        reply: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        asked.put((function, reply))
        result, error = reply.get()
        if error is not None:
            raise error
        return result

    threading.Thread(target=serve, daemon=True, name="rlft-jails").start()
    return call
