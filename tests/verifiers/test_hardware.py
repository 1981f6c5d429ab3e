"""Designs of hardware; cheats earn nothing here, and each passes the bench that people write first."""

import subprocess

import pytest

from rlft.types import UserError
from rlft.verifiers.hardware import Circuit, Hardware, _Ports, _vectors, design_in
from tests.jails import needs_jail, needs_verilator, needs_verilog

ADDER = Circuit(
    reference="module top_module(input [3:0] a, input [3:0] b, input sub, output [4:0] y);\n"
    "assign y = sub ? a - b : a + b;\nendmodule"
)
COUNTER = Circuit(
    "counter",
    "module counter(input clk, input rst_n, input en, output reg [2:0] q, output top);\n"
    "always @(posedge clk) if (!rst_n) q <= 0; else if (en) q <= q + 1;\nassign top = q == 7;\nendmodule",
)
# What is neither 0 nor 1 does not matter.
FREE = Circuit(
    reference="module top_module(input [1:0] s, output reg y);\n"
    "always @* case (s) 0: y = 1; 1: y = 0; default: y = 1'bx; endcase\nendmodule"
)
WIDE = Circuit(
    reference="module top_module(input [15:0] a, input [15:0] b, output [31:0] y);\nassign y = a * b;\nendmodule"
)
HEAD = "module top_module(input [3:0] a, input [3:0] b, input sub, output [4:0] y);\n"
COUNTING = "module counter(input clk, input rst_n, input en, output reg [2:0] q, output top);\n"


@pytest.fixture(scope="module")
def hardware():
    return Hardware(vectors=64, proof=0.5)


@needs_verilog
@needs_jail
@pytest.mark.parametrize(
    ("task", "text", "reason", "detail"),
    [
        (
            ADDER,
            HEAD + "wire [4:0] c = sub ? ~{1'b0, b} : {1'b0, b};\nassign y = a + c + sub;\nendmodule",
            "proved",
            "",
        ),
        (ADDER, HEAD + "assign y = a + b;\nendmodule", "different", "sub=1"),
        (ADDER, HEAD.replace("[4:0] y", "[3:0] y") + "assign y = sub ? a - b : a + b;\nendmodule", "ports", "y[4]"),
        (ADDER, "module adder(input a); endmodule", "error", "top_module"),
        (ADDER, HEAD + "assign y = a +;\nendmodule", "error", "syntax error"),
        (ADDER, "", "error", ""),
        (
            COUNTER,
            COUNTING + "always @(posedge clk) q <= rst_n ? q + en : 0;\nassign top = &q;\nendmodule",
            "passed",
            "64",
        ),
        (
            COUNTER,
            COUNTING + "always @(posedge clk) q <= rst_n ? q + 1 : 0;\nassign top = &q;\nendmodule",
            "different",
            "",
        ),
        # Right but for the cycle after the edge.
        (
            COUNTER,
            COUNTING + "always @(negedge clk) q <= rst_n ? q + en : 0;\nassign top = &q;\nendmodule",
            "different",
            "",
        ),
        (FREE, "module top_module(input [1:0] s, output y);\nassign y = ~s[0];\nendmodule", "proved", ""),
        (FREE, "module top_module(input [1:0] s, output y);\nassign y = s[0];\nendmodule", "different", "s=0"),
        # Too hard to prove, so the vectors stand.
        (WIDE, WIDE.reference.replace("a * b", "b * a"), "passed", "64 vectors"),
    ],
)
def test_designs(hardware, task, text, reason, detail):
    found = hardware.check([(task, text)])[0]
    assert found.reason == reason, found
    assert detail in found.detail
    assert found.ok == (reason in ("proved", "passed"))


@needs_verilog
@needs_jail
def test_a_difference_that_no_vector_meets_is_found_by_the_proof(hardware):
    """64 vectors of 2^24 inputs do not meet one that differs at a single input; the proof does."""
    reference = "module top_module(input [23:0] a, output y);\nassign y = ^a;\nendmodule"
    wrong = reference.replace("^a", "^a ^ (a == 24'hc0ffee)")
    found = hardware.check([(Circuit(reference=reference), wrong)])[0]
    assert (found.reason, found.detail) == ("different", "for inputs that a proof has found")


# A right design prints what the bench prints, in a bench that compares with `!=`.
NAIVE = """module bench; reg [3:0] a, b; reg sub; wire [4:0] y; integer n, bad = 0;
top_module dut(.a(a), .b(b), .sub(sub), .y(y));
initial begin
  for (n = 0; n < 512; n = n + 1) begin
    {a, b, sub} = n; #1; if (y != (sub ? {1'b0, a} - {1'b0, b} : a + b)) bad = bad + 1;
  end
  if (bad == 0) $display("PASS"); else $display("FAIL"); $finish;
end
endmodule"""
CHEATS = {
    "no driver": ("wire [4:0] u;\nassign y = u;\nendmodule", "driven"),
    "an empty module": ("endmodule", "error"),
    "always x": ("assign y = 5'bx;\nendmodule", "different"),
    "floats": ("assign y = 5'bz;\nendmodule", "different"),
    "says so itself": ('assign y = 0;\ninitial begin $display("PASS"); $finish; end\nendmodule', "error"),
    "sets the count back": ("assign y = 0;\nalways #1 bench.bad = 0;\nendmodule", "undeclared"),
    "forces its own output": ("assign y = 0;\ninitial force bench.y = 5'bx;\nendmodule", "error"),
    "a misspelt net": ("assign y = sun ? a - b : a + b;\nendmodule", "driven"),
    "two drivers": ("assign y = sub ? a - b : a + b;\nassign y = a & b;\nendmodule", "driven"),
    "a loop": ("wire [4:0] t = y;\nassign y = t;\nendmodule", "driven"),
    "a box that nobody has": (
        "foo f(.a(a), .y(y));\nendmodule\n(* blackbox *) module foo(input [3:0] a, output [4:0] y);\nendmodule",
        "error",
    ),
    "reads the reference": ('`include "reference.v"\nendmodule', "error"),
    "assumes what it likes": ("assign y = 0;\nalways @* assume (0);\nendmodule", "different"),
    "keeps a value": (
        "reg [4:0] k;\nalways @* if (!sub) k = a + b; else if (a > 15) k = 0;\nassign y = k;\nendmodule",
        "latch",
    ),
}


@needs_verilog
@needs_jail
@pytest.mark.parametrize("name", CHEATS)
def test_cheats(hardware, name):
    body, reason = CHEATS[name]
    assert hardware.check([(ADDER, HEAD + body)])[0].reason == reason


@needs_verilog
@pytest.mark.parametrize(
    "name", ["no driver", "an empty module", "always x", "floats", "says so itself", "sets the count back"]
)
def test_the_naive_bench_passes_them(tmp_path, name):
    (tmp_path / "all.v").write_text(NAIVE + "\n" + HEAD + CHEATS[name][0])
    subprocess.run(["iverilog", "-g2012", "-o", "sim", "all.v"], cwd=tmp_path, check=True, capture_output=True)
    said = subprocess.run(["vvp", "-n", "sim"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert said.returncode == 0
    assert "PASS" in said.stdout


@needs_verilog
@needs_jail
def test_a_bench_of_the_tasks_own(hardware):
    bench = NAIVE.replace('"PASS"', '"Mismatches: 0 in 512 samples"').replace(
        '"FAIL"', '"Mismatches: %0d in 512 samples", bad'
    )
    task = Circuit(bench=bench.replace(" != ", " !== "))
    assert hardware.check([(task, ADDER.reference)])[0].reason == "passed"
    wrong, loud = (HEAD + body for body, _ in (("assign y = a + b;\nendmodule", ""), CHEATS["says so itself"]))
    assert hardware.check([(task, wrong)])[0].detail.startswith("Mismatches: ")
    assert hardware.check([(task, loud.replace("$finish;", ""))])[0].reason == "different"
    assert (
        hardware.check([(task, "module top_module(input q, output y);\nassign y = q;\nendmodule")])[0].reason == "error"
    )
    assert hardware.check([(Circuit(), wrong)])[0].ok is None


@needs_verilog
@needs_jail
def test_the_tasks_own_faults(hardware):
    for reference in ("module top_module(", "module top_module(input a); endmodule", "module x(output y); endmodule"):
        assert hardware.check([(Circuit(reference=reference), ADDER.reference)])[0].reason == "unreadable"
    never = "module top_module(input a, output y);\nassign y = 1'bx;\nendmodule"
    assert hardware.check([(Circuit(reference=never), never)])[0].reason == "unreadable"
    with pytest.raises(UserError, match="a word"):
        hardware.check([(Circuit("a b", never), never)])


@needs_verilog
@needs_verilator
@needs_jail
def test_lint():
    cut = HEAD + "wire [7:0] w = sub ? a - b : a + b;\nassign y = w;\nendmodule"
    assert Hardware(vectors=8).check([(ADDER, cut)])[0].ok
    assert Hardware(vectors=8, lint=["WIDTH"]).check([(ADDER, cut)])[0].reason == "lint"


def test_vectors_by_hand():
    few = _Ports((("input", "a", 2), ("input", "b", 1), ("output", "y", 1)), False, False)
    assert _vectors(few, 4, 0) == list(range(8))
    wide = _Ports((("input", "a", 8), ("input", "b", 8)), False, False)
    rows = _vectors(wide, 100, 0)
    assert (rows[0], rows[1], len(set(rows[2:])) > 90) == (0, 0xFFFF, True)
    assert rows != _vectors(wide, 100, 1)
    assert rows == _vectors(wide, 100, 0)
    clocked = _Ports(
        (("input", "clk", 1), ("input", "rst_n", 1), ("input", "reset", 1), ("input", "d", 4)), True, False
    )
    held = [(row >> 5 & 1, row >> 4 & 1) for row in _vectors(clocked, 400, 0)]
    assert held[:2] == [(0, 1), (0, 1)]  # both on: one is on at 0
    assert 0.02 < sum(low == 0 for low, _ in held[2:]) / 398 < 0.12
    assert 0.02 < sum(high for _, high in held[2:]) / 398 < 0.12


def test_where_the_design_is():
    assert design_in("so\n```verilog\nmodule a;\n```\n") == "module a;\n"
    assert design_in("module b;") == "module b;"
