"""The process beside: it answers, it is ended when it is late, and a failure is not an answer."""

import os
import pickle
import signal
import textwrap

import pytest

from rlft.sandbox.child import Child, Unanswered

SCRIPT = """
    import os

    def answer(question):
        print("noise on stdout")
        if question == "spin":
            while True:
                pass
        if question == "power":
            return 9 ** 9 ** 9 ** 9
        if question == "memory":
            return len(bytearray(5 << 30))
        if question == "write":
            open(os.environ["TARGET"], "w").write("x")
        if question == "shell":
            os.system("true")
        if question == "die":
            os._exit(3)
        return [question, hash("set order"), os.getpid()]
"""


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    script = tmp_path_factory.mktemp("child") / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    return Child(script)


def test_it_answers_and_stays(child):
    first, second = child.ask("ü 1", seconds=5.0), child.ask(2, seconds=5.0)
    assert (first[0], second[0]) == ("ü 1", 2)
    assert first[2] == second[2] != os.getpid()


def test_many_questions_at_once(child):
    """Each has its own time; one that ends the process or raises costs its place alone."""
    replies = child.ask_all([[1], ["spin"], [2], ["shell"], [3], ["die"]], seconds=0.2)
    failed = [str(reply) for reply in replies if isinstance(reply, Unanswered)]
    assert [reply[0] for reply in replies if not isinstance(reply, Unanswered)] == [1, 2, 3]
    assert [isinstance(reply, Unanswered) for reply in replies] == [False, True, False, True, False, True]
    assert "no answer within" in failed[0] and "Permission" in failed[1]
    assert child.ask_all([], seconds=0.2) == []
    assert len(child.ask_all([["x" * 1000]] * 300, seconds=5.0)) == 300  # more than a pipe holds, both ways


@pytest.mark.parametrize("question", ["spin", "power", "die"])
def test_it_is_ended_and_begins_anew(child, question):
    before = child.ask(0, seconds=5.0)[2]
    with pytest.raises(Unanswered, match="no answer"):
        child.ask(question, seconds=0.2)
    assert child._process.returncode == (3 if question == "die" else -signal.SIGPROF)  # its own time was up
    assert child.ask(1, seconds=5.0)[2] != before


@pytest.mark.parametrize(
    ("question", "error"), [("memory", "MemoryError"), ("write", "Permission"), ("shell", "Permission")]
)
def test_what_it_may_not_do(child, question, error, tmp_path, monkeypatch):
    monkeypatch.setenv("TARGET", str(tmp_path / "file"))
    fresh = Child(child.script)
    with pytest.raises(Unanswered, match=error):
        fresh.ask(question, seconds=5.0)
    assert not (tmp_path / "file").exists()
    assert fresh.ask(1, seconds=5.0)[0] == 1


def test_its_hash_seed_is_fixed(child, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert Child(child.script).ask(0, seconds=5.0)[1] == child.ask(0, seconds=5.0)[1]


def test_a_copy_has_a_process_of_its_own(child):
    copy = pickle.loads(pickle.dumps(child))
    assert copy.ask(0, seconds=5.0)[2] != child.ask(0, seconds=5.0)[2]


def test_a_script_that_cannot_start_is_an_error(tmp_path):
    (tmp_path / "broken.py").write_text("import no_such_module")
    with pytest.raises(RuntimeError, match="no_such_module"):
        Child(tmp_path / "broken.py").ask(0, seconds=1.0)
