"""Counted programs as hardware: what is proved equal to its contract, and what is not."""

import random

import pytest

from rlft.errors import UserError
from rlft.tasks.methods import Methods, ways_of, written
from rlft.verifiers.hardware import Circuit, Hardware
from rlft.verifiers.unrolled import design, reference
from tests.jails import needs_jail, needs_verilog

HEAD = "method M(k: int, n: int) returns (r: int)\n  requires k <= n\n  ensures r == 2 + 3 * n - 3 * k"
BRANCHES = "method M(wire: int) returns (r: int, q: int) ensures r == wire ensures q == 1 - wire"


def test_the_text():
    assert reference(HEAD) == (
        "module top_module(input signed [2:0] k_in, input signed [2:0] n_in, output signed [7:0] r_out);\n"
        "  wire signed [7:0] k_ = k_in;\n"
        "  wire signed [7:0] n_ = n_in;\n"
        "  assign r_out = ((k_) <= (n_)) ? ((3) * n_ + (-3) * k_ + (2)) : {8{1'bx}};\n"
        "endmodule\n"
    )
    made = design(HEAD, "{ r := n; while r > k { r := r - 1; } }", given=1)
    assert made.count("?") == 2 and made.endswith("  assign r_out = _4;\nendmodule\n")


@pytest.mark.parametrize("head", [HEAD.replace("==", ">="), "method"])
def test_a_head_that_says_no_value(head):
    with pytest.raises(UserError):
        reference(head)
    with pytest.raises(UserError):
        design("method", "{ }")


@needs_verilog
@needs_jail
def test_hardware():
    """Right programs are proved equal to their contracts; a wrong sum is not; what only lacks a proof is right."""
    draw, pairs = random.Random(0), []
    for index, wrong in enumerate(([], [], ["step"], ["relation"])):
        problem = Methods().at(index)
        way, sums = ways_of(problem)
        head = problem.columns["header"]
        pairs.append((Circuit(reference=reference(head)), design(head, written(way, sums, wrong, draw))))
    branches = "{ r := 0; if wire < 0 { r := 1; r := wire; } else { r := r + wire; } q := 1; q := q - r; }"
    pairs.append((Circuit(reference=reference(BRANCHES)), design(BRANCHES, branches)))
    # one that the contract lets go on for longer than it stands there
    pairs.append((Circuit(reference=reference(HEAD)), design(HEAD, "{ r := 0; while r < 90 { r := r + 1; } }")))
    found = [one.reason for one in Hardware().check(pairs)]
    assert found == ["proved", "proved", "different", "proved", "proved", "different"]
