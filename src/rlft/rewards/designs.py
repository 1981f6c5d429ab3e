"""The reward of hardware: is the Verilog of a completion what its row's reference is? Built and simulated in a jail."""

from __future__ import annotations

from rlft.rewards.proving import Proving
from rlft.types import Problem, Reward
from rlft.verifiers.hardware import Circuit, Hardware, design_in

_COLUMNS = {"top": Circuit.top, "header": Circuit.header, "passes": Circuit.passes}


def verilog(
    *, vectors: int = 256, seed: int = 0, lint: str = "", seconds: float = 10.0, proof: float = 2.0, workers: int = 1
) -> Reward:
    """1 where the design of a completion does what the row's reference does, or passes the row's bench, else 0.

    A row has the column `reference` (or it is the answer), Verilog with a module of the name in `top`, `top_module` by
    default; or `test`, a bench that has such a module in it and prints what `passes` says for a right one,
    `"Mismatches: 0 in"` by default (the form of VerilogEval). `header` is the head of the module for completions that
    go on from it. A completion is its last closed block, behind any `</think>`, or all of it without blocks.

    Designs are built by Yosys, compared by Icarus on `vectors` inputs, of which the random ones come from `seed`, and
    where there is no state proved equal within `proof` seconds of processor time, if that is enough; `seconds` for
    each of the other tools; `lint`, names of Verilator's warnings that count as faults, `"WIDTH,UNUSED"`; `workers`
    run side by side. NaN: no reference and no bench, or one that does not work. UserError without the tools or
    bubblewrap.
    """
    warnings = [word.strip() for word in lint.split(",") if word.strip()]
    hardware = Hardware(vectors, seed, warnings, seconds, proof, workers)
    return Proving(hardware.check, _circuit, design_in, "no reference and no bench")


def _circuit(problem: Problem) -> Circuit | None:
    columns = problem.columns
    bench = str(columns.get("test") or "")
    reference = str(columns.get("reference") or ("" if bench else problem.answer) or "")
    if not reference.strip() and not bench.strip():
        return None
    top, header, passes = (str(columns.get(name) or own) for name, own in _COLUMNS.items())
    return Circuit(top, reference, header, bench, passes)
