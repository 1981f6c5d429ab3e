"""The reward of hardware: rows and completions to numbers."""

import math

from rlft.options.reward import load_reward
from rlft.rewards.adapt import explained
from rlft.types import Problem, Text
from tests.jails import needs_jail, needs_verilog

NOT = "module top_module(input a, output y);\nassign y = ~a;\nendmodule"


@needs_verilog
@needs_jail
def test_rows():
    reward = load_reward("verilog(vectors=8)")
    bench = """module bench; reg a; wire y; inv dut(.a(a), .y(y)); initial begin
    a = 0; #1; if (y === 1) $display("right"); end endmodule"""
    rows = [
        Problem(0, "?", NOT),
        Problem(1, "?", None, {"reference": NOT.replace("top_module", "inv"), "top": "inv"}),
        Problem(2, "?", None, {"test": bench, "top": "inv", "passes": "right"}),
        Problem(3, "?", None, {"reference": NOT, "header": "module top_module(input a, output y);"}),
        Problem(4, "?", "no Verilog"),
        Problem(5, "?", None),
    ]
    inv = NOT.replace("top_module", "inv")
    right = [f"so\n```verilog\n{NOT}\n```", inv, inv, "assign y = !a;\nendmodule", NOT, NOT]
    scores = reward(rows, [Text(text) for text in right]).tolist()
    assert scores[:4] == [1, 1, 1, 1]
    assert all(math.isnan(score) for score in scores[4:])
    assert reward(rows[:4], [Text(text.replace("~", "").replace("!", "")) for text in right[:4]]).tolist() == [0] * 4
    assert explained(reward, rows[0], Text(NOT)) == "proved"
    assert explained(reward, rows[0], Text(inv)).startswith("error: ERROR: Module `top_module' not found")
    assert explained(reward, rows[5], Text(NOT)) == "no reference and no bench"
