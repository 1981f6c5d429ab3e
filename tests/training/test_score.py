"""A reward may do wrong, and is never silently wrong: it ends its process, forks, hangs, returns what no number is."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from rlft.errors import Misbehaved
from rlft.rewards.adapt import awaited
from rlft.rewards.limited import Limited
from rlft.training.score import score
from rlft.types import Problem, Stateful, UserError

ROWS = [Problem(0, "a"), Problem(1, "b")]


def scored(reward, **told):
    return score(reward, ROWS, ["x", "y"], **told)


@pytest.mark.parametrize("code", [0, None, 3])
def test_sys_exit_is_no_success(code):
    def reward(problems, outputs):
        sys.exit(code)

    with pytest.raises(
        Misbehaved, match=r"the reward called sys.exit\((0|3|)\), which ends no run as done .*test_score"
    ):
        scored(reward)


def test_a_fork_that_comes_back_is_ended():
    program = (
        "import os; from rlft.training.score import score; from rlft.types import Problem\n"
        "def reward(problems, outputs):\n    os.fork()\n    return [1.0]\n"
        "print(score(reward, [Problem(0, 'a')], ['x']).total.tolist(), flush=True); os.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[1.0]\n"
    assert done.stderr == "rlft: a fork of the reward came back from it, and was ended: end it with os._exit\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 1e30], r"the reward is 1e\+30 for row 1; expected a number from -1e\+16 to 1e\+16"),
        ([-1e300, 1.0], "the reward is infinite for row 0"),
        ([1.0, 10**400], "for row 1; expected a number"),
        ([1.0, 1j], "the reward returned complex 1j for row 1; expected a number"),
        (torch.tensor([1j, 2.0]), "the reward returned .* for row 0; expected a number"),
        ({"one": [9e15, 0.0], "two": [9e15, 0.0]}, r"the sum of the reward's parts is 1.8e\+16 for row 0"),
    ],
)
def test_numbers_that_are_none(values, said):
    with pytest.raises(UserError, match=said):
        scored(lambda problems, outputs: values)


def test_large_numbers_that_can_be_averaged():
    assert scored(lambda problems, outputs: [2.0**53, -(2.0**53)]).total.tolist() == [2.0**53, -(2.0**53)]


def test_an_error_that_cannot_be_said():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    def reward(problems, outputs):
        raise Mute

    with pytest.raises(UserError, match="the reward raised Mute: "):
        scored(reward)


def hangs(problems, outputs):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            time.sleep(60)
        except Exception:
            continue


def hangs_elsewhere(problems, outputs):
    async def forever():
        await asyncio.sleep(60)

    import asyncio

    return awaited([forever()])


@pytest.mark.parametrize("reward", [hangs, hangs_elsewhere])
def test_a_reward_that_takes_too_long(reward):
    before, start = signal.getsignal(signal.SIGALRM), time.monotonic()
    with pytest.raises(UserError, match=r"took more than 0.2 seconds for 2 rows \(--reward-seconds\)"):
        scored(Limited(reward, 0.2))
    assert time.monotonic() - start < 2
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("reward", [hangs, hangs_elsewhere])
def test_a_reward_is_interrupted(reward):
    # A shell that starts this in the background has it ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            scored(reward)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_limit_changes_nothing_else():
    class Counting:
        seen = 0

        def __call__(self, problems, outputs):
            self.seen += 1
            return {"a": [1.0, 2.0]}

        def state_dict(self):
            return {"seen": self.seen}

        def load_state_dict(self, state):
            self.seen = state["seen"]

    limited = Limited(Counting(), 5.0)
    assert scored(limited).parts["a"].tolist() == [1.0, 2.0]
    assert isinstance(limited, Stateful) and limited.state_dict() == {"seen": 1}
    limited.load_state_dict({"seen": 7})
    assert limited.reward.seen == 7
    assert Limited(lambda problems, outputs: [1.0], 5.0).state_dict() == {}
    with pytest.raises(UserError, match="--reward-seconds must be more than 0; got 0"):
        Limited(Counting(), 0.0)
