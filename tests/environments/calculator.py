"""Tools that tests call, good and bad ones, in a file that another process can import."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Literal


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def scale(values: list[float], by: float = 2.0, unit: Literal["m", "km"] | None = None) -> dict[str, object]:
    """Scale some values."""
    print("this is not a reply")
    return {"values": [by * value for value in values], "unit": unit}


def echo(text: str) -> str:
    """Say it again."""
    return text


def hang(seconds: float) -> str:
    """Wait."""
    time.sleep(seconds)
    return "awake"


def spin() -> int:
    """Never come back, in one call that no signal handler interrupts."""
    return 9**9**9


def die() -> None:
    """End the process."""
    os._exit(3)


def divide(a: int, b: int) -> float:
    """Divide."""
    return a / b


def process() -> int:
    """Which process it runs in."""
    return os.getpid()


def leaves(seconds: float, away: bool) -> int:
    """Wait with a fork that has every descriptor open, and may leave the process group; the fork's number."""
    if (fork := os.fork()) == 0:
        if away:
            os.setsid()
        time.sleep(30)
        os._exit(0)
    with open(os.environ["LEFT"], "w") as file:
        file.write(str(fork))
    time.sleep(seconds)
    return fork


def forges() -> str:
    """Write a reply into every descriptor, as a program that a tool starts may, and into the process's own."""
    lie = b'["returned", "a lie"]\n'
    subprocess.run(
        [sys.executable, "-c", f"import os\nfor n in range(64):\n try: os.write(n, {lie!r})\n except OSError: 0"]
    )
    for number in range(64):
        try:
            os.write(number, lie)
        except OSError:
            continue
    return "the truth"


def starts() -> str:
    """A program's view of the descriptors."""
    code = "import os; print([n for n in range(64) if os.path.exists(f'/proc/self/fd/{n}')], os.read(0, 9))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout


def flood() -> str:
    """Write and write."""
    for _ in range(1000):
        for number in range(3, 16):
            try:
                os.write(number, b"x" * 1000)
            except OSError:
                continue
    return "done"


def twice() -> str:
    """Come back twice."""
    return f"{'child' if os.fork() == 0 else 'parent'}"


def untyped(a) -> int:
    """Nobody knows what a is."""
    return a


def strange(a: complex) -> int:
    """JSON has no such numbers."""
    return 0


def starred(*words: str) -> str:
    """Any number of words."""
    return " ".join(words)
