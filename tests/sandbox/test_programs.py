"""Programs that behave, and their verdicts to the letter; the hostile ones are in `test_programs_hostile`."""

import json
import os
import pickle
import sys
from pathlib import Path

import pytest

from rlft.errors import UserError
from rlft.sandbox import jail
from rlft.sandbox.jail import Bare, Jail, packages
from rlft.sandbox.programs import Limits, Program, Programs, Verdict
from tests.jails import needs_jail

ADD = "def add(a, b):\n    print('noise')\n    return a + b"
WAIT = Limits(seconds=0.2, wall=0.3)


@pytest.fixture(scope="module")
def programs():
    return Programs(workers=2)


def one(programs, source, given="", function=None, limits=Limits()) -> Verdict:
    return programs.run([Program(source, given, function)], limits)[0]


@needs_jail
def test_a_script_reads_its_input(programs):
    text = "äöü\n" * 100_000  # more than a pipe holds
    verdict = one(programs, "import sys\nx = sys.stdin.read(); print(len(x), input.__name__, __name__)", text)
    assert (verdict.reason, verdict.code, verdict.stdout) == ("ok", 0, "400000 input __main__\n")
    assert 0 < verdict.seconds < verdict.wall + 0.05
    assert one(programs, "print('input not read')", text).stdout == "input not read\n"
    assert one(programs, "print(input()); print(input())", "1\n2").stdout == "1\n2\n"


@needs_jail
def test_a_function_is_called_and_its_value_comes_by_another_way(programs):
    verdict = one(programs, ADD, "[2, 3]", "add")
    assert (verdict.reason, verdict.value, verdict.stdout) == ("ok", "5", "noise\n")
    method = "class Solution:\n    def twice(self, x): return (x, x)"
    assert json.loads(one(programs, method, '["a"]', "twice").value) == ["a", "a"]
    assert one(programs, ADD, "[2]", "add").reason == "type"
    assert "missing 1 required" in one(programs, ADD, "[2]", "add").detail
    assert one(programs, "def f(): return {1, 2}", "[]", "f").detail.startswith("TypeError: Object of type set")
    assert "no function g" in one(programs, ADD, "[]", "g").detail


@needs_jail
def test_ends(programs):
    """As an interpreter ends, whatever way the program takes."""
    said = {
        "import sys; sys.exit()": ("ok", 0, ""),
        "import sys; sys.exit('text')": ("exit", 1, "text"),
        "import sys; sys.exit(3)": ("exit", 3, "exit code 3"),
        "raise KeyError('a')": ("exit", 1, "KeyError: 'a'"),
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": ("killed", -15, "signal 15"),
        "exit(0)": ("ok", 0, ""),
    }
    verdicts = programs.run([Program(source) for source in said])
    assert [(v.reason, v.code, v.detail) for v in verdicts] == list(said.values())
    waited = "import threading, time, atexit\natexit.register(print, 3)\n"
    waited += "threading.Thread(target=lambda: (time.sleep(0.05), print(2))).start()\nprint(1)"
    assert one(programs, waited).stdout == "1\n2\n3\n"


@needs_jail
def test_limits_are_named(programs):
    tight = Limits(seconds=0.1, wall=0.3, memory=100 << 20, disk=1000, output=1000)
    sources = [
        "while True: pass",
        "import time; time.sleep(9)",
        "x = ' ' * (1 << 28)",
        "print('x' * 2000, file=open('a', 'w'), flush=True)",
    ]
    verdicts = programs.run([Program(source) for source in [*sources, "print('x' * 2000)"]], tight)
    assert [v.reason for v in verdicts] == ["timeout", "timeout", "memory", "disk", "output"]
    assert verdicts[1].detail == "not ended after 0.3 seconds"
    assert verdicts[4].detail == "more than 1000 bytes"
    with pytest.raises(UserError, match="memory must be more than 0; got 0"):
        Limits(memory=0)


@needs_jail
def test_verdicts_are_in_order_and_the_budget_ends(programs):
    asked = [Program(f"import time; time.sleep(0.1); print({n})") for n in range(6)]
    assert [v.stdout for v in programs.run(asked[:3])] == ["0\n", "1\n", "2\n"]
    some = programs.run([Program("import time; time.sleep(9)"), *asked, *asked], WAIT, budget=0.3)
    assert some[0].reason == "timeout"
    assert some[-1] == Verdict("unrun", "there was no time left to run it")
    assert programs.run([]) == []


@needs_jail
def test_the_same_seeds_each_time(programs):
    """Set order and `random` are those of the first program, so a verdict can be had again."""
    source = "import random; print(random.random(), hash('a'), list({'a', 'b', 'c'}))"
    fresh = Programs()
    assert len({one(fresh, source).stdout for _ in range(2)}) == 1
    assert one(fresh, source).stdout.split()[1] == one(programs, source).stdout.split()[1]


@needs_jail
def test_a_copy_works(programs):
    copy = pickle.loads(pickle.dumps(programs))
    assert one(copy, "print(1)").stdout == "1\n"
    assert copy._children[0]._process is not programs._children[0]._process


@needs_jail
def test_what_bounds_processes_is_tried(programs):
    assert programs.bounded() in (f"a limit ({jail.here()})", "the clock, which ends all of them")


@needs_jail
def test_packages_are_shown_if_asked_for(programs):
    assert one(programs, "import docstring_parser").reason == "exit"
    with_numpy = Programs(place=Jail(packages()), python=sys.executable)
    source = "import numpy, docstring_parser; print(numpy.arange(3).sum())"
    assert one(with_numpy, source, limits=Limits(memory=4 << 30)).stdout == "3\n"


def test_bare_must_be_said(monkeypatch, tmp_path):
    """Without bubblewrap nothing runs, unless `Bare` is given; then there are limits, and what is left is killed."""
    monkeypatch.setenv("PATH", "/nowhere")
    jail.here.cache_clear()
    with pytest.raises(UserError, match="bubblewrap"):
        Programs()
    jail.here.cache_clear()
    programs, place = Programs(place=Bare()), tmp_path / "pid"
    leaves = f"""
import os, time
if not os.fork():
    os.setsid()
    open({str(place)!r}, "w").write(str(os.getpid()))
    time.sleep(60)
while not os.path.exists({str(place)!r}) or not open({str(place)!r}).read():
    pass
"""
    verdict = one(programs, leaves + "open('left', 'w').write('x'); print(os.getcwd())")
    assert verdict.reason == "ok"
    assert not Path(verdict.stdout.strip()).exists()
    assert not Path(f"/proc/{place.read_text()}").exists()
    assert os.listdir("/tmp") != []
    assert one(programs, "while True: pass", limits=WAIT).reason == "timeout"
    assert programs.bounded() == "nothing but the clock"
