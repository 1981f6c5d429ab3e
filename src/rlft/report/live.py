"""What a terminal shows while a run is going: one bar and one line of numbers. It computes nothing that is kept.

    with LiveBar(200, title="grpo") as bar:
        for metrics in trainer.run(200):
            bar.update(metrics)

In a terminal the two lines are redrawn in place. Where the output is a file or a pipe, one plain line is written for
the first step, every few seconds, and for the last step, so that a log stays short.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rlft.report.words import change, duration, number

RECENT = 10  # steps over which the reward that is shown is averaged, and from which its change is counted


class LiveBar:
    """Progress of a run of `total` steps.

    title     what is running, in a word or two
    console   where to; standard output unless given (a tool that prints JSON gives standard error)
    every     seconds between plain lines where the console is not a terminal
    clock     seconds that only go forward

    `update` takes a step's metrics as they are logged and needs none of them: what is missing, null or NaN is left out.
    """

    def __init__(
        self,
        total: int,
        title: str = "",
        console: Console | None = None,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.title = title
        self.console = console if console is not None else Console(highlight=False)
        self.every = every
        self.clock = clock
        self.step = 0
        self._seen = 0  # steps made here, which a resumed run counts from 0
        self._metrics: Mapping[str, Any] = {}
        self._first: list[float] = []
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._began = clock()
        self._updated = self._began
        self._printed: tuple[int, float] | None = None
        self._live: Live | None = None

    def __enter__(self) -> LiveBar:
        self._began = self._updated = self.clock()
        if self.console.is_terminal:
            self._live = Live(get_renderable=self._drawing, console=self.console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._seen and (self._printed is None or self._printed[0] != self.step):
            self._print()

    def update(self, metrics: Mapping[str, Any]) -> None:
        """One more step, with whatever was measured."""
        step = _usable(metrics.get("step"))
        self.step = int(step) if step is not None else self.step + 1
        self._seen += 1
        self._metrics = metrics
        self._updated = self.clock()
        reward = _usable(metrics.get("reward"))
        if reward is not None:
            self._recent.append(reward)
            if len(self._first) < RECENT:
                self._first.append(reward)
        if self._live is not None:
            self._live.refresh()
        elif self._printed is None or self._updated - self._printed[1] >= self.every or self.step == self.total:
            self._print()

    def say(self, text: str) -> None:
        """A line of its own above the bar, such as an evaluation's result."""
        self.console.print(Text(text))

    def left(self) -> float | None:
        """Seconds until the last step at the pace so far; None before the first step."""
        if not self._seen:
            return None
        pace = (self._updated - self._began) / self._seen
        since = self.clock() - self._updated
        return max(0.0, pace * max(0, self.total - self.step) - since)

    def numbers(self) -> list[tuple[str, str]]:
        """(label, value) of what is shown: those of reward, KL, length and speed that the last step had."""
        shown = []
        if self._recent:
            now, start = sum(self._recent) / len(self._recent), sum(self._first) / len(self._first)
            moved = change(start, now) if len(self._first) == RECENT and self._seen > RECENT else ""
            shown.append(("reward", number(now) + (f" ({moved})" if moved else "")))
        for key, label in (("kl", "KL"), ("length", "length"), ("decisions_per_second", "decisions/s")):
            value = _usable(self._metrics.get(key))
            if value is not None:
                shown.append((label, number(value)))
        return shown

    def _print(self) -> None:
        self._printed = (self.step, self._updated)
        head = f"{self.title} " if self.title else ""
        words = [f"{head}step {self.step}/{self.total}", *(f"{label} {value}" for label, value in self.numbers())]
        left = self.left()
        if left is not None and self.step < self.total:
            words.append(f"{duration(left)} left")
        self.console.print(Text("  ".join(words)), soft_wrap=True)

    def _drawing(self) -> Group:
        left = self.left()
        line = Table.grid(padding=(0, 2), expand=True)
        for _ in range(4):
            line.add_column(no_wrap=True)
        line.columns[1].ratio = 1
        ending = f"{duration(left)} left" if left is not None and self.step < self.total else ""
        line.add_row(
            Text(self.title, style="bold"),
            ProgressBar(total=max(1, self.total), completed=min(self.step, self.total)),
            Text(f"{self.step}/{self.total}"),
            Text(ending, style="dim"),
        )
        words = Text(no_wrap=True, overflow="ellipsis")
        for label, value in self.numbers():
            words.append(f"{label} ", style="dim").append(f"{value}   ")
        return Group(line, words)


def _usable(value: object) -> float | None:
    """A finite number as a float, else None. Numbers of other libraries count if `float` takes them."""
    if value is None or isinstance(value, (str, bytes, bool)):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return found if math.isfinite(found) else None
