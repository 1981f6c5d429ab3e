"""How many tests of programs a second the jail runs: a warm interpreter that forks, beside a fresh jail for each test.

    python benchmarks/programs.py

Each test is a small script with its input. `warm` is what the reward `programs` does; `fresh jail` starts bubblewrap
and Python for each test, and `fresh process` starts Python without any jail. All in turns, so that what else the
machine does is shared by all three.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from turns import rates

from rlft.sandbox.jail import Jail, interpreter
from rlft.sandbox.programs import Program, Programs

SOURCE = """
import sys
from collections import Counter
rows = [list(map(int, line.split())) for line in sys.stdin.read().splitlines()]
print(sum(map(sum, rows)), Counter(x for row in rows for x in row).most_common(1)[0][0])
"""
GIVEN, EXPECTED = "1 2 3\n3 4 5\n", "18 3\n"


def warm(programs: Programs, count: int) -> None:
    """All tests in one call."""
    verdicts = programs.run([Program(SOURCE, GIVEN)] * count)
    assert all(verdict.stdout == EXPECTED for verdict in verdicts), verdicts[0]


def fresh_jail(count: int) -> None:
    """Bubblewrap and Python for each test."""
    for _ in range(count):
        process = Jail().start([interpreter(), "-c", SOURCE], {})
        said, _ = process.communicate(GIVEN, timeout=60)
        assert said == EXPECTED


def fresh_process(count: int) -> None:
    """Python for each test, and no jail at all."""
    for _ in range(count):
        done = subprocess.run([interpreter(), "-c", SOURCE], input=GIVEN, capture_output=True, text=True, timeout=60)
        assert done.stdout == EXPECTED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20, help="fresh ones a round; warm ones are ten times as many")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    programs = Programs(arguments.workers)
    kinds: dict[str, tuple[Callable[[int], None], int]] = {
        "warm": (lambda count: warm(programs, count), 10 * arguments.count),
        "fresh jail": (fresh_jail, arguments.count),
        "fresh process": (fresh_process, arguments.count),
    }
    found = rates(kinds, arguments.rounds)
    for name, rate in found.items():
        print(f"{name:<14} {rate:8.1f} tests/s, {found['warm'] / rate:5.1f} times as fast warm")
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
