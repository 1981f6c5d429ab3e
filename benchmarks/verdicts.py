"""Whether the same text always gets the same verdict: a thousand checks twice, the second time on a disturbed machine.

    python benchmarks/verdicts.py

The second time two processes keep the machine busy, and now and then a worker of the verifier is killed between two
checks. Nothing is remembered from the first time. Prints how many verdicts of each verifier differ.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rlft.sandbox.child import Child
from rlft.sandbox.programs import Programs
from rlft.verifiers.cases import Case, Cases
from rlft.verifiers.coq import Coq, Statement
from rlft.verifiers.hardware import Circuit, Hardware
from rlft.verifiers.lammps import Lammps, Simulated
from rlft.verifiers.programs import ProgramTests
from rlft.verifiers.proved import Proved
from rlft.verifiers.smt import Holes, Smt


def programs(drawn: random.Random) -> tuple[Any, str]:
    """A sum over a list, with one of several steps right."""
    step = drawn.choice(["total + one", "total - one", "total * one", "one", "total + unknown", "total + [one]"])
    # A text of its own each time, since equal ones are run once.
    head = f"# {drawn.random()}\ndef add(values):\n    total = 0\n    for one in values:\n"
    source = f"{head}        total = {step}\n    return total"
    size = drawn.randrange(5)
    given = [drawn.randrange(-9, 9) for _ in range(size)]
    return source, Cases((Case(f"[{given}]", str(sum(given))),), "add")


def coq(drawn: random.Random) -> tuple[Any, str]:
    """An equation of naturals and a few tactics."""
    statement = drawn.choice(["n + 0 = n", "n + 1 = S n", "0 + n = n", "n = n + 1", "n + n = 2 * n"])
    tactics = ["induction n.", "simpl.", "reflexivity.", "rewrite IHn.", "auto.", "intros.", "congruence."]
    proof = " ".join(["intros n.", *drawn.choices(tactics, k=drawn.randrange(1, 5))])
    return Statement(f"forall n : nat, {statement}"), proof


def smt(drawn: random.Random) -> tuple[Any, str]:
    """The invariant of a loop that counts to a number."""
    end = drawn.randrange(3, 30)
    goals = (
        "(forall ((x Int)) (=> (= x 0) (inv x)))",
        f"(forall ((x Int)) (=> (and (inv x) (< x {end})) (inv (+ x 1))))",
        f"(forall ((x Int)) (=> (and (inv x) (>= x {end})) (= x {end})))",
    )
    body = f"({drawn.choice(['<=', '<', '>='])} x {drawn.choice([end, end, end + 1])})"
    return Holes({"inv": "((x Int)) Bool"}, goals), body


def lammps(drawn: random.Random) -> str:
    """A few atoms, some of them too close, for some steps."""
    size, step = drawn.choice(["2", "3"]), drawn.choice(["0.005", "0.02", "0.1"])
    lines = [
        *(
            "units lj",
            f"lattice fcc {drawn.choice(['0.8', '1.6', '3.0'])}",
            f"region b block 0 {size} 0 {size} 0 {size}",
        ),
        *("create_box 1 b", "create_atoms 1 box", "mass 1 1.0", f"velocity all create 1.0 {drawn.randrange(1, 10**6)}"),
        *("pair_style lj/cut 1.5", "pair_coeff 1 1 1 1", f"timestep {step}", "fix 1 all nve", "run 50"),
    ]
    if drawn.random() < 0.2:
        del lines[drawn.randrange(len(lines))]
    return "\n".join(lines)


def verilog(drawn: random.Random) -> tuple[Any, str]:
    """Three gates or a register behind them."""
    head = "module top_module(input clk, input [3:0] a, input [3:0] b, output reg [3:0] y);\n"

    def body() -> str:
        left, right, last = (drawn.choice("&|^") for _ in range(3))
        value = f"(a {left} b) {right} (a {last} 4'd{drawn.randrange(2)})"
        return drawn.choice(["always @(posedge clk)", "always @*"]) + f" y = {value};\nendmodule"

    reference = head + body()
    return Circuit(reference=reference), drawn.choice([reference, head + body(), reference.replace("y =", "z =")])


CHECKS: dict[str, tuple[Callable[[random.Random], Any], Callable[[], Any]]] = {
    "programs": (programs, lambda: ProgramTests(Programs(2))),
    "coq": (coq, lambda: Coq(workers=2)),
    "smt": (smt, lambda: Smt()),
    "lammps": (lammps, lambda: Lammps(workers=2)),
    "verilog": (verilog, lambda: Hardware(vectors=64, workers=2)),
}


def verdicts(verifier: Any, pairs: list[Any], disturbed: bool) -> list[str]:
    """In words, twenty at a time; a worker is killed before every second of these."""
    check = getattr(verifier, "check_all", verifier.check)
    found: list[str] = []
    for at in range(0, len(pairs), 20):
        if disturbed and at % 40:
            _kill_one(verifier)
        found += [_word(one) for one in check(pairs[at : at + 20])]
    return found


def _word(one: Any) -> str:
    if isinstance(one, Simulated):
        return f"{one.reason};{one.detail}{one.values}"
    return one.reason if isinstance(one, Proved) else str(one)


def _kill_one(verifier: Any) -> None:
    """A child, wherever in the verifier it is."""
    seen: list[Any] = [verifier]
    while seen:
        value = seen.pop()
        if isinstance(value, Child):
            if value._process is not None:
                os.kill(value._process.pid, signal.SIGKILL)
                value._process.wait()
                return
        elif isinstance(value, list):
            seen += value
        elif type(value).__module__.startswith("rlft."):
            seen += getattr(value, "__dict__", {}).values()


def _busy() -> None:
    while True:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=250, help="checks of each verifier")
    parser.add_argument("--only", choices=list(CHECKS))
    arguments = parser.parse_args()
    count = arguments.count
    different = 0
    for name, (draw, make) in CHECKS.items():
        if arguments.only not in (None, name):
            continue
        drawn = random.Random(0)
        pairs = [draw(drawn) for _ in range(count)]
        quiet = verdicts(make(), pairs, disturbed=False)
        load = [multiprocessing.Process(target=_busy, daemon=True) for _ in range(2)]
        for one in load:
            one.start()
        loud = verdicts(make(), pairs, disturbed=True)
        for one in load:
            one.kill()
        differ = sum(first != second for first, second in zip(quiet, loud, strict=True))
        different += differ
        kinds = ", ".join(
            f"{word} {times}" for word, times in Counter(one.split(";")[0] for one in quiet).most_common(5)
        )
        print(f"{name:<10} {count} checks twice, {differ} verdicts differ ({kinds})", flush=True)
    return different > 0


if __name__ == "__main__":
    raise SystemExit(main())
