"""The reward of programs with contracts: rows to tasks, and what a completion earns."""

import math

from rlft.options.reward import load_reward
from rlft.rewards.adapt import explained
from rlft.rewards.contracts import _contract
from rlft.types import Problem, Text
from rlft.verifiers.dafny import Contract
from tests.jails import needs_dafny, needs_jail


def test_rows():
    assert _contract(Problem(0, "?", "method M()")) == Contract("method M()")
    assert _contract(Problem(0, "?", "x", {"client": "method C() { M(); }"})) == Contract("", "", "method C() { M(); }")
    row = Problem(0, "?", None, {"header": "method M()", "preamble": "datatype T = A"})
    assert _contract(row) == Contract("method M()", "datatype T = A")
    assert _contract(Problem(0, "?", None)) is None


@needs_dafny
@needs_jail
def test_completions():
    reward = load_reward("dafny(seconds=10.0)")
    one = Problem(0, "?", "method One() returns (i: int) ensures i == 1")
    rows, texts = [one, one, Problem(1, "?", None)], ["{ i := 1; }", "{ assume i == 1; }", "{}"]
    scores = reward(rows, [Text(text) for text in texts]).tolist()
    assert scores[:2] == [1, 0]
    assert math.isnan(scores[2])
    assert explained(reward, one, Text(texts[1])) == "assumes: assume"
    assert explained(reward, rows[2], Text("{}")) == "no header and no client"
