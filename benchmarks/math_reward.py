"""How many rows a second the reward `math` judges on one core: plain numbers, expressions, the process beside included.

    python benchmarks/math_reward.py

Rows are worked solutions of about 600 characters that end in a boxed answer, eight for each problem: four wrong ones,
all different, two right ones written like the gold answer and two written otherwise (plain numbers: all four alike).
Every round has new numbers, so nothing is known from the round before; the first round, in which the parser learns its
tables and the process starts, is not counted. Seconds are processor time of both processes, so other programs on the
machine do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rlft.rewards import math
from rlft.rewards.mathematics import _verifier
from rlft.types import Problem, Text

GROUP = 8
WORK = "We add the first part to the second and check the units again before we go on to the next step. " * 6
PLAIN: tuple[Callable[[random.Random], str], ...] = (
    lambda draw: str(draw.randrange(10**6)),
    lambda draw: f"{draw.randrange(1000, 10**7):,}",
    lambda draw: f"{draw.uniform(0, 1000):.2f}",
    lambda draw: f"{draw.randrange(1, 100)}/{draw.randrange(101, 200)}",
    lambda draw: f"${draw.randrange(10**5)}",
)
EXPRESSIONS: tuple[Callable[[random.Random], str], ...] = (
    lambda draw: rf"\frac{{{draw.randrange(2, 99)}\sqrt{{{draw.randrange(2, 99)}}}}}{{{draw.randrange(2, 99)}}}",
    lambda draw: rf"{draw.randrange(2, 999)}\pi",
    lambda draw: f"({draw.randrange(999)}, {draw.randrange(999)})",
    lambda draw: rf"x \ge {draw.randrange(999)}",
    lambda draw: rf"[{draw.randrange(99)}, {draw.randrange(100, 999)})",
    lambda draw: f"{draw.randrange(2, 99)}x + {draw.randrange(2, 99)}",
    lambda draw: rf"\sqrt{{{draw.randrange(2, 9999)}}} + {draw.randrange(99)}",
    lambda draw: f"{draw.randrange(2, 99)}^{{{draw.randrange(100, 999)}}}",
)


Kinds = tuple[Callable[[random.Random], str], ...]


def rows(kinds: Kinds, problems: int, seed: int) -> tuple[list[Problem], list[Text]]:
    """Problems and completions, group-major."""
    draw = random.Random(seed)
    asked, said = [], []
    for index in range(problems):
        kind = kinds[index % len(kinds)]
        gold = kind(draw)
        asked += [Problem(index, "?", gold)] * GROUP
        for row in range(GROUP):
            alike = gold if row % 4 == 0 or kinds is PLAIN else rewritten(gold)
            said.append(Text(f"{WORK}\\boxed{{{alike if row % 2 == 0 else kind(draw)}}}"))
    return asked, said


def rewritten(answer: str) -> str:
    """The same expression in another way."""
    return f"x = {answer}" if answer[0] in "[(" or "x" not in answer else answer.replace("x", r"\,x\,").replace(" ", "")


def seconds() -> float:
    """Processor time of this process and of the one beside it."""
    process = _verifier._process
    beside = 0.0
    if process is not None:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        beside = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + beside


def rate(kinds: Kinds, problems: int, rounds: int) -> dict[str, float]:
    """Rows a second of processor time and of the wall clock, medians over rounds."""
    reward, by_time, by_wall = math(), [], []
    for turn in range(rounds + 1):
        asked, said = rows(kinds, problems, turn)
        before, began = seconds(), time.perf_counter()
        scores = reward(asked, said)
        spent, wall = seconds() - before, time.perf_counter() - began
        assert 0.45 < float(scores.mean()) < 0.6, scores.mean()
        if turn:
            by_time.append(len(said) / spent)
            by_wall.append(len(said) / wall)
    return {"rows_per_second": statistics.median(by_time), "rows_per_second_wall": statistics.median(by_wall)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found = {
        "plain numbers": rate(PLAIN, 1000, arguments.rounds),
        "expressions": rate(EXPRESSIONS, 64, arguments.rounds),
    }
    for name, rates in found.items():
        own, wall = rates["rows_per_second"], rates["rows_per_second_wall"]
        print(f"{name:<16} {own:8.0f} rows/s of processor time {wall:8.0f} rows/s of the wall clock")
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
