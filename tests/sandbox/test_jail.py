"""The jail: refused where it cannot be made, a place for any child, ended with its owner and not with a thread."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from rlft.errors import UserError
from rlft.sandbox import jail
from rlft.sandbox.child import Child, Unanswered
from rlft.sandbox.jail import Jail, here
from tests.jails import inside, needs_jail

SCRIPT = """
    import os, socket

    def answer(question):
        if question == "files":
            return sorted(os.listdir("/"))
        if question == "read":
            return open(os.environ["HOME"] + "/../etc/hostname").read()
        if question == "spin":
            while True:
                pass
        return [question, os.getuid(), hash("set order")]
"""


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    script = tmp_path_factory.mktemp("child") / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).replace("import os, socket", "import os, socket\nCONFINES = True"))
    return Child(script, Jail((script,)), jail.interpreter())


def test_without_bubblewrap_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    here.cache_clear()
    with pytest.raises(UserError, match="apt-get install bubblewrap"):
        here()
    here.cache_clear()


def test_one_that_cannot_work_says_why(monkeypatch, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'No permissions to create a new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    here.cache_clear()
    with pytest.raises(UserError, match=r"\(No permissions to create a new namespace\).*not run without"):
        here()
    here.cache_clear()


@needs_jail
def test_a_child_in_it_has_the_same_protocol(child):
    bare = Child(child.script)
    assert child.ask("ü 1", seconds=5.0)[::2] == bare.ask("ü 1", seconds=5.0)[::2]
    files = child.ask("files", seconds=5.0)
    assert "home" not in files and {"usr", "tmp", "proc", "dev"} <= set(files)
    with pytest.raises(Unanswered, match="FileNotFound"):
        child.ask("read", seconds=5.0)


@needs_jail
def test_its_time_is_limited_too(child, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    limited = Child(script, Jail((script,)), jail.interpreter())
    before = limited.ask(1, seconds=5.0)
    with pytest.raises(Unanswered, match=r"within 0\.1"):
        limited.ask("spin", seconds=0.1)
    assert limited.ask(1, seconds=5.0)[::2] == before[::2]


@needs_jail
def test_it_outlives_the_thread_that_asked_first(child):
    fresh = Child(child.script, child.place, child.python)
    thread = threading.Thread(target=fresh.ask, args=(1,), kwargs={"seconds": 5.0})
    thread.start()
    thread.join()
    process = fresh._process
    time.sleep(0.05)
    assert fresh.ask(2, seconds=5.0)[0] == 2
    assert fresh._process is process


@needs_jail
def test_a_fork_has_one_of_its_own(child):
    process = (child.ask(1, seconds=5.0), child._process)[1]
    with child._lock:  # as if another thread were asking while this one forks
        pid = os.fork()
        if pid == 0:
            same = child.ask(3, seconds=5.0)[0] == 3 and child._process is not process
            child._process.kill()
            os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert child.ask(2, seconds=5.0)[0] == 2
    assert child._process is process


@needs_jail
def test_it_ends_with_its_owner(child):
    """Killed without a word, in the middle of a question."""
    code = f"""
        import sys, threading
        from pathlib import Path
        from rlft.sandbox.child import Child
        from rlft.sandbox.jail import Jail
        child = Child(Path({str(child.script)!r}), Jail((Path({str(child.script)!r}),)), {child.python!r})
        child.ask(1, seconds=5.0)
        print(child._process.pid, flush=True)
        child.ask("spin", seconds=60.0)
    """
    owner = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    process = int(owner.stdout.readline())
    left = inside(process)
    assert left
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    until = time.monotonic() + 10
    while any(_alive(pid) for pid in [process, *left]) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(_alive(pid) for pid in [process, *left])


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
