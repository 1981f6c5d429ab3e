"""The reward of formulas with holes: rows and completions to numbers."""

import json
import math

from rlft.options.reward import load_reward
from rlft.rewards.adapt import explained
from rlft.types import Problem, Text
from tests.jails import needs_jail, needs_z3


@needs_z3
@needs_jail
def test_rows():
    reward = load_reward("smt(effort=2000000)")
    columns = {"functions": {"f": "((x Int)) Int"}, "goals": ["(forall ((x Int)) (> (f x) x))"]}
    rows = [
        Problem(0, "?", None, columns),
        Problem(1, "?", None, {name: json.dumps(value) for name, value in columns.items()}),
        Problem(2, "?", None, {**columns, "goals": ["(g 1)"]}),
        Problem(3, "?", None, {"goals": columns["goals"]}),
    ]
    scores = reward(rows, [Text("(+ x 1)"), Text("x"), Text("x"), Text("x")]).tolist()
    assert scores[:2] == [1, 0]
    assert all(math.isnan(score) for score in scores[2:])
    assert explained(reward, rows[1], Text("x")) == "refuted: goal 1: (forall ((x Int)) (> (f x) x))"
    assert explained(reward, rows[3], Text("x")) == "no goals"
