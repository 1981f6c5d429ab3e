"""Tools that tests call, good and bad ones, in a file that another process can import."""

from __future__ import annotations

import os
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


def untyped(a) -> int:
    """Nobody knows what a is."""
    return a


def strange(a: complex) -> int:
    """JSON has no such numbers."""
    return 0


def starred(*words: str) -> str:
    """Any number of words."""
    return " ".join(words)
