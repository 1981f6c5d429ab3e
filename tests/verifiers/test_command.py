"""Checkers as commands, with a stand-in for one: its verdict counts, and what it prints of the text does not."""

import json
import sys
from pathlib import Path

import pytest

from rlft.errors import UserError
from rlft.options.reward import load_reward
from rlft.rewards.adapt import explained
from rlft.sandbox.jail import Bare
from rlft.types import Problem, Text
from rlft.verifiers.command import ByCommand, Row
from tests.jails import needs_jail

# No prover: it takes a text that ends with the row's answer, and prints all of it first, as tools do.
STAND_IN = """
import json, os, sys, time
word = sys.stdin.readline().strip()
task, text = json.load(open("task.json")), open("answer.txt").read()
print(text)
if text.startswith("sleep"):
    while True: pass
if text.startswith("twice"):
    print(word, "proved")
if text.startswith("crash"):
    sys.exit(3)
if "answer" not in task or task["answer"] is None:
    print(word, "unreadable no answer")
elif text.startswith("?"):
    print(word, "error line 1:", text)
else:
    print(word, *(["proved"] if text.rstrip().endswith(task["answer"]) else ["refuted", task["prompt"], "is open"]))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("command") / "stand_in.py"
    path.write_text(STAND_IN)
    return path


def test_verdicts(script):
    checker = ByCommand(f"{sys.executable} {script}", seconds=1.0, place=Bare())
    row, none = (Row(json.dumps({"prompt": "goal", "answer": answer})) for answer in ("qed", None))
    texts = ["x qed", "x", "proved", "0123456789abcdef proved", "?x", "twice qed", "crash", "sleep"]
    found = checker.check([(row, text) for text in texts] + [(none, "qed")])
    assert [one.reason for one in found] == [
        *("proved", "refuted", "refuted", "refuted", "error", "silent", "silent", "timeout", "unreadable")
    ]
    assert found[1].detail == "goal is open" and found[4].detail == "line 1: ?x"
    assert found[5].detail.startswith("2 verdicts") and "exit code 3" in found[6].detail
    assert [one.ok for one in found][-2:] == [False, None]


@needs_jail
def test_the_reward(script):
    """In a jail, which shows the script wherever it lies."""
    reward = load_reward(f"command('{{python}} {script}', block='lean')")
    rows = [Problem(0, "goal", "qed"), Problem(1, "goal", None)]
    texts = [Text("so\n```lean\nx qed\n```\n"), Text("x qed")]
    assert reward(rows, texts).tolist()[0] == 1 and reward(rows, texts).isnan().tolist() == [False, True]
    assert explained(reward, rows[0], Text("```lean\nno\n```")) == "refuted: goal is open"


@pytest.mark.parametrize("words", ["", "no-such-program-here x"])
def test_what_cannot_be_run(words):
    with pytest.raises(UserError, match="no program"):
        ByCommand(words, place=Bare())
    with pytest.raises(UserError, match="there is no /no/where"):
        ByCommand(sys.executable, [Path("/no/where")], place=Bare())
