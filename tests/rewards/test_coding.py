"""The reward of programs: rows and completions to numbers."""

import json
import math

import pytest

from rlft.options.reward import load_reward
from rlft.rewards import programs
from rlft.rewards.adapt import explained
from rlft.types import Problem, Text, UserError
from tests.jails import needs_jail

PAIRS = {"inputs": ["1 2\n", "3 4\n", "5 5\n"], "outputs": ["3\n", "7\n", "10\n"]}
ROW = Problem(0, "Add.", None, {"input_output": json.dumps(PAIRS)})
BARE = Problem(1, "Add.", "no tests")


def said(line: str) -> Text:
    return Text(f"Read two numbers.\n```python\na, b = map(int, input().split())\n{line}\n```\n")


@needs_jail
def test_rows():
    reward, rows = programs(workers=1), [ROW, ROW, ROW, ROW, BARE]
    outputs = [said("print(a + b)"), said("print(7)"), Text("```python\nprint(3)"), Text("print(3)"), said("print(3)")]
    assert reward(rows, outputs).tolist()[:4] == [1, 0, 0, 0]
    assert math.isnan(reward(rows, outputs)[4])
    assert explained(reward, ROW, outputs[3]) == "1 of 3 tests passed; test 2: the output is not the expected one"
    assert explained(reward, BARE, outputs[0]) == "no tests that can be read"


@needs_jail
def test_settings():
    outputs = [said("print(a + b)"), said("print(7)"), said("print(3.0001)")]
    assert programs(partial=True, workers=1)([ROW] * 3, outputs).tolist() == pytest.approx([1, 1 / 3, 0])
    with_package = Text("import docstring_parser\na, b = map(int, input().split())\nprint(a + b)")
    for packages, score in ((False, 0), (True, 1)):
        reward = programs(workers=1, most=1, packages=packages, megabytes=4096)
        assert reward([ROW], [with_package]).tolist() == [score]
    assert programs(most=1, tolerance=1e-3, workers=1)([ROW] * 3, outputs).tolist() == [1, 0, 1]
    assert all(math.isnan(score) for score in programs(budget=-1.0, workers=1)([ROW], outputs[:1]))
    with pytest.raises(UserError, match="most must be at least 1"):
        programs(most=0)


@needs_jail
def test_by_name():
    assert load_reward("programs(partial=True, workers=1)")([ROW], [said("print(a + b)")]).tolist() == [1]


def test_it_is_refused_without_a_jail(monkeypatch):
    from rlft.sandbox.jail import here

    monkeypatch.setenv("PATH", "/nowhere")
    here.cache_clear()
    with pytest.raises(UserError, match="apt-get install bubblewrap"):
        load_reward("programs")([ROW], [said("print(1)")])
    here.cache_clear()
    assert programs(bare=True, workers=1)([ROW], [said("print(a + b)")]).tolist() == [1]
