"""A reward that may take only so long for a batch. Not a sandbox: it runs in this process, where it always did."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rlft.rewards.adapt import Remembering, explained
from rlft.types import Problem, Reward, UserError


class _Late(BaseException):
    """Raised inside the reward; no Exception, which a reward may catch."""


class Limited(Remembering):
    """`reward`, which is interrupted after `seconds` for a batch; `UserError` then, and where that cannot be done.

    It is interrupted by a signal, so in Python code of the main thread: a library's own code is left to return first.
    """

    def __init__(self, reward: Reward, seconds: float):
        if not seconds > 0:
            raise UserError(f"--reward-seconds must be more than 0; got {seconds:g}")
        self.reward, self.seconds = reward, seconds

    def __call__(self, problems: Sequence[Problem], outputs: Any) -> Any:
        try:
            with _alarm(self.seconds):
                return self.reward(problems, outputs)
        except _Late:
            raise UserError(
                f"the reward took more than {self.seconds:g} seconds for {len(problems)} rows (--reward-seconds); give "
                "it more, or let it end itself and return None for rows that it could not score"
            ) from None

    def explain(self, problem: Problem, output: Any) -> str:
        return explained(self.reward, problem, output)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """`_Late` in this thread when the time is up."""
    if threading.current_thread() is not threading.main_thread():
        raise UserError("--reward-seconds works in the main thread of a process only, and so not with --ahead")

    def late(number: int, frame: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again and again, for a `finally` or bare `except` in between
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
