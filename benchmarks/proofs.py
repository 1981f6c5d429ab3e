"""How many proofs a second Coq checks: one kept from proof to proof, beside a fresh `coqc` for each.

    python benchmarks/proofs.py

Proofs are by induction, or by `lia` with its library read; `asked` ones are whole texts, of which it is also printed
what they assume. A fresh `coqc` is run without a jail and asked nothing. All in turns, so that what else the machine
does is shared by all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from turns import rates

from rlft.verifiers.coq import Coq, Statement

PLAIN = Statement("forall n : nat, n + 0 = n", "zero")
BY_LIA = Statement("forall a b : nat, a + b + b = b + (a + b)", "shift")
PROOFS = {
    "induction": ("", PLAIN, "induction n as [|n IH]. reflexivity. simpl. rewrite IH. reflexivity."),
    "lia": ("Require Import Lia.", BY_LIA, "intros. lia."),
}


def whole(imports: str, goal: Statement, proof: str) -> str:
    """The file that `coqc` reads."""
    return f"{imports}\nTheorem {goal.name} : {goal.statement}.\nProof.\n{proof}\nQed.\n"


def kept(coq: Coq, goal: Statement, text: str, count: int) -> None:
    """Proofs in one session."""
    found = coq.check([(goal, text)] * count)
    assert all(one.ok for one in found), found[0]


def fresh(text: str, count: int) -> None:
    """A `coqc` for each."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.v").write_text(text)
        for _ in range(count):
            subprocess.run(["coqc", "-q", "-noglob", "a.v"], cwd=folder, check=True, capture_output=True, timeout=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=5, help="fresh ones a round; kept ones are ten times as many")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found: dict[str, float] = {}
    for name, (imports, goal, proof) in PROOFS.items():
        coq, text = Coq(imports), whole(imports, goal, proof)
        kinds: dict[str, tuple[Callable[[int], None], int]] = {
            "kept": (lambda count, c=coq, g=goal, p=proof: kept(c, g, p, count), 10 * arguments.count),
            "kept, asked": (lambda count, c=coq, g=goal, t=text: kept(c, g, t, count), arguments.count),
            "fresh coqc": (lambda count, t=text: fresh(t, count), arguments.count),
        }
        medians = rates(kinds, arguments.rounds)
        for kind, rate in medians.items():
            print(f"{name:<10} {kind:<12} {rate:8.2f} proofs/s, {rate / medians['fresh coqc']:5.1f} times a fresh coqc")
        found |= {f"{name}, {kind}": rate for kind, rate in medians.items()}
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
