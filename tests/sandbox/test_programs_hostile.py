"""Programs that misbehave get a verdict with a reason; none gets out, none hangs, none leaves anything behind.

Each is followed by a program that looks for what it left. Both forms of the jail are tried, by three threads each.
"""

import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from rlft.sandbox import jail
from rlft.sandbox.jail import Jail
from rlft.sandbox.programs import REASONS, Limits, Program, Programs
from rlft.sandbox.syscalls import seccomp_filter
from tests.jails import inside, needs_jail

pytestmark = needs_jail
FORMS = ["another user", "user namespace"] if os.geteuid() == 0 else ["user namespace"]
_MODULES = ("atexit", "builtins", "ctypes", "json", "os", "resource", "signal", "socket", "subprocess", "sys")
_MODULES += ("threading", "time")


def _cases() -> dict[str, tuple[str, str, str]]:
    """By name: the source, the reasons that are right, what is printed ("" for anything)."""
    text = (Path(__file__).parent / "programs_hostile.txt").read_text()
    parts, cases = re.split(r"^## (.+?): (.+)\n", text, flags=re.MULTILINE)[1:], {}
    for name, said, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        body = re.sub(r"^# .*\n", "", body, flags=re.MULTILINE).strip("\n")
        if said == "attempt":
            inner = body.replace("\n", "\n    ")
            body, said = f"try:\n    {inner}\n    print('out')\nexcept OSError:\n    print('held')", "ok > held"
        used = "".join(f"import {module}\n" for module in _MODULES if f"{module}." in body)
        reasons, _, printed = said.partition(" > ")
        cases[name] = used + body, reasons, printed
    return cases


CASES = _cases()
# Those that need a bound on processes: where there is none the clock would end them, after thousands.
BOMBS = {"forks for ever", "forks for ever and catches"}
# Those that only the filter of system calls stops.
FILTERED = {"a memory file", "a socket to the hypervisor", "a kernel socket", "its parent's limits"}
FILTERED |= {"its parent's priority", "its parent's processors", "a namespace of its own", "a shared segment", "a key"}
WORD = "word-that-must-stay-outside"
LOOK = """
import os
print([*os.listdir("/tmp"), *os.listdir("/dev/shm")], len([p for p in os.listdir("/proc") if p.isdigit()]))
print(oct(os.stat("/tmp").st_mode), os.listxattr("/tmp"), len("abc"), __name__, os.getpriority(0, 0))
"""
LOOKED = f"[] 2\n0o41777 [] 3 __main__ {os.getpriority(os.PRIO_PROCESS, 0)}\n"


def limits(reasons: str) -> Limits:
    """Tight where time is what ends it; a program on a busy machine may be slow."""
    seconds, wall = (0.1, 0.25) if reasons == "timeout" else (0.5, 1.0) if "timeout" in reasons else (2.0, 10.0)
    return Limits(seconds=seconds, wall=wall, memory=128 << 20, disk=2 << 20, output=1 << 16, processes=8)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """What there is to be found outside."""
    secret = tmp_path_factory.mktemp("host") / "secret"
    secret.write_text(WORD)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        name = f"rlft-{os.getpid()}"
        local.bind(f"\0{name}")
        local.listen()
        words = {
            "SECRET": secret,
            "FOLDER": secret.parent,
            "PORT": server.getsockname()[1],
            "NAME": name,
            "WORD": WORD,
            "NUL": "\0",
        }
        yield {key: str(value) for key, value in words.items()}


@pytest.fixture(scope="module", params=FORMS)
def ended(request, host):
    """Of each case its verdict, that of the look after it, and the seconds both took; no jail has a process left."""
    found, threads = {}, []

    def work(names):
        programs = Programs(place=Jail(disk=4 << 20))
        bounded = "limit" in programs.bounded()
        for name in names:
            if name in BOMBS and not bounded:
                continue
            source, reasons, _ = CASES[name]
            for word, value in host.items():
                source = source.replace(word, value)
            began = time.monotonic()
            verdict = programs.run([Program(source)], limits(reasons))[0]
            spent = time.monotonic() - began
            look = programs.run([Program(LOOK)], limits(""))[0]
            process = programs._children[0]._process
            found[name] = verdict, look, spent, len(inside(process.pid))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLFT_SECRET", WORD)
        patch.setattr(jail, "here", lambda: request.param)
        for part in range(3):
            threads.append(threading.Thread(target=work, args=(list(CASES)[part::3],)))
            threads[-1].start()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_program_that_misbehaves(ended, name):
    if name in FILTERED and seccomp_filter() is None:
        pytest.skip("no filter of system calls for this architecture")
    if name not in ended:
        pytest.skip("nothing here bounds the number of processes")
    _, reasons, printed = CASES[name]
    verdict, look, spent, left = ended[name]
    assert verdict.reason in reasons.split(), verdict
    assert verdict.reason in REASONS
    assert verdict.detail or verdict.reason == "ok"
    assert WORD not in str(verdict)
    assert not printed or verdict.stdout.strip() == printed, verdict
    assert spent < limits(reasons).wall + 5
    assert look.stdout == LOOKED, (verdict, look)
    assert left == 1  # the interpreter that waits for the next


def test_there_are_enough():
    assert len(CASES) >= 80
