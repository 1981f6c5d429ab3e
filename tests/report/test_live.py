"""The live display: plain lines in a log, two lines in a terminal, and no metric that it needs."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console

from rlft.report.live import LiveBar


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(total: int, **options) -> tuple[LiveBar, Clock, io.StringIO]:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, force_terminal=False, width=80)
    return LiveBar(total, console=console, clock=clock, **options), clock, out


def test_plain_lines_every_few_seconds_and_at_both_ends():
    bar, clock, out = plain(20, title="grpo", every=5.0)
    with bar:
        for step in range(1, 21):
            clock.now += 2.0
            bar.update({"step": step, "reward": 0.5})
    steps = [line.split()[2] for line in out.getvalue().splitlines()]
    # the first, then each that is at least five seconds (three steps) after the line before, and the last
    assert steps == ["1/20", "4/20", "7/20", "10/20", "13/20", "16/20", "19/20", "20/20"]


def test_the_numbers_of_a_line():
    bar, clock, out = plain(40, title="grpo")
    metrics = {"kl": 0.0123, "length": 143.2, "decisions_per_second": 5210.4}
    with bar:
        for step in range(1, 31):
            clock.now += 3.0
            bar.update({"step": step, "reward": step / 10, **metrics})
    last = out.getvalue().splitlines()[-1]
    # rewards 2.1 ... 3.0 against 0.1 ... 1.0; ten steps are left at three seconds each
    assert last == "grpo step 30/40  reward 2.55 (+2.00)  KL 0.012  length 143  decisions/s 5,210  30 s left"


def test_time_left_counts_only_what_was_made_here():
    bar, clock, _ = plain(200)
    with bar:
        assert bar.left() is None
        for step in (151, 152, 153, 154):  # a resumed run
            clock.now += 2.5
            bar.update({"step": step})
        assert bar.left() == pytest.approx(46 * 2.5)
        clock.now += 15.0
        assert bar.left() == pytest.approx(100.0)
        clock.now += 1e6
        assert bar.left() == 0.0


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"step": None, "reward": None},
        {"reward": math.nan, "kl": math.inf, "length": "long"},
        {"reward": [1, 2], "step": "three", "kl": {}},
        {"reward": np.float32(0.5), "length": np.array([1, 2]), "decisions_per_second": 10**400},
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_needed(metrics, terminal):
    out = io.StringIO()
    with LiveBar(3, console=Console(file=out, force_terminal=terminal, width=60)) as bar:
        for _ in range(4):  # one more than was planned
            bar.update(metrics)
        assert bar.step == 4
    assert "step 4/3" in out.getvalue() or "4/3" in out.getvalue()
    assert "nan" not in out.getvalue().lower()


def test_a_bar_without_steps():
    for terminal in (True, False):
        with LiveBar(0, console=Console(file=io.StringIO(), force_terminal=terminal)):
            pass


@pytest.mark.parametrize("width", [100, 40, 12])
def test_a_terminal_shows_bar_and_numbers(width):
    out = io.StringIO()
    clock = Clock()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, legacy_windows=False)
    with LiveBar(20, title="grpo", console=console, clock=clock) as bar:
        clock.now += 6.0
        bar.update({"step": 5, "reward": 0.25, "kl": 0.5})
        bar.say("held-out 0.3")
    with console.capture() as shown:
        console.print(bar._drawing())
    lines = shown.get().splitlines()
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    if width == 100:
        assert lines[0].startswith("grpo")
        assert "━" in lines[0]
        assert lines[0].rstrip().endswith("5/20  1 min 30 s left")
        assert lines[1].rstrip() == "reward 0.250   KL 0.500"
    assert "held-out 0.3"[:width] in out.getvalue()


def test_an_error_leaves_the_terminal_as_it_was_and_is_not_swallowed():
    out = io.StringIO()

    def interrupted():
        with LiveBar(9, console=Console(file=out, force_terminal=True, width=60)) as bar:
            bar.update({"step": 1})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert out.getvalue().endswith("\x1b[?25h")  # the cursor is shown again


def test_say_takes_brackets_literally():
    bar, _, out = plain(5)
    with bar:
        bar.say("held-out 0.31 [0.28, 0.34] [bold]")
    assert out.getvalue() == "held-out 0.31 [0.28, 0.34] [bold]\n"
