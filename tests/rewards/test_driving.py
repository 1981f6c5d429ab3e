"""Reasons, consistency and driving by hand; the released rewards, and which way each of them rises."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.rewards import agreement, alpamayo, reasoning, trajectory
from rlft.rewards.driving import released
from rlft.types import Problem, UserError

UNITS = {"seconds": 0.5, "accel": 2.0, "curvature": 0.1}
# 4 m/s straight on: 2 m in each step; a car stands 3 m ahead, and 1 m to the side
SCENE = Problem(
    0,
    "drive",
    columns={
        "speed": 4,
        "cause": "clear road",
        "intent": "keep, straight",
        "expert": [[2.0, 0.0], [4.0, 0.0]],
        "obstacles": [[3.0, 1.0]],
    },
)
REASON = "<cause>clear road</cause><intent>keep, straight</intent>"
KEEP, STOP = "<a0><k0><a0><k0>", "<a-4><k0> <a0><k0>"


def paid(reward, *texts, problem=SCENE):
    found = reward([problem] * len(texts), list(texts))
    found = sum(found.values()) if isinstance(found, dict) else found
    return found.tolist()


def test_reasoning():
    """A point for the cause, and one for each word of the intent."""
    meant = "<intent>Straight , KEEP</intent><cause>red light</cause>"
    left = "<intent>keep, left</intent>"
    everything = "<intent>keep, stop, left, straight</intent><intent_>keep, straight</intent_>"
    said = (REASON, meant, REASON + "<cause>clear road</cause>", left, "<intent>keep, keep</intent>")
    assert_close(paid(reasoning(), *said), [1.0, 2 / 3, 2 / 3, 1 / 3, 1 / 3])
    assert paid(reasoning(), everything, "", "<cause>clear road", "<intent>keep</intent>") == [0] * 4
    assert paid(reasoning(fields="cause"), meant, REASON) == [0, 1]
    assert math.isnan(paid(reasoning(fields="why"), REASON)[0])
    with pytest.raises(UserError, match="names no field"):
        reasoning(fields=" ,")


def test_agreement_is_of_words_and_deeds():
    stops = "<intent>stop, straight</intent>"
    left = "<intent>keep, left</intent><a0><k1><a0><k1>"  # 0.4 rad
    reward = agreement(**UNITS)
    assert paid(reward, REASON + KEEP, stops + STOP, left, "<intent>straight, keep</intent>" + KEEP) == [1] * 4
    assert paid(reward, REASON + STOP, stops + KEEP, stops + "<a-1><k0><a-1><k0>", stops) == [0] * 4
    unread = (
        KEEP,
        stops + stops + STOP,
        REASON + KEEP + "<a0>",
        REASON + KEEP + "<a0><k0>",
        "<intent>keep</intent>" + KEEP,
    )
    assert paid(reward, *unread) == [0] * 5


def test_rows_of_several_lengths_are_read_together():
    longer = Problem(1, "drive", columns={**SCENE.columns, "expert": [[2.0, 0]] * 3, "obstacles": []})
    reward = agreement(**UNITS)
    rows = [REASON + KEEP, REASON + KEEP, REASON + KEEP + "<a0><k0>"]
    assert reward([SCENE, longer, longer], rows).tolist() == [1, 0, 1]


def test_trajectory():
    """Stopping takes 1 m: 1 and 3 m off, 2 on average, and it never comes within 2 m of (3, 1)."""
    reward = trajectory(**UNITS, distance=0.6, collision=0.5, smooth=0.3)
    found = reward([SCENE] * 3, [KEEP, STOP, "nothing"])
    assert_close(found["ade"], torch.tensor([0.0, -0.4, -2.0]))
    assert_close(found["collision"], torch.tensor([-0.5, 0.0, -0.5]))
    # it brakes by 8 m/s², and no longer: too hard, with too much jerk of both kinds
    assert_close(found["comfort"], torch.tensor([0.0, -0.15, -0.3]))
    assert found.watch["close"].tolist() == [1, 0, 1] and found.watch["distance"].tolist() == [0, 2, 10]
    assert paid(trajectory(**UNITS, radius=0.9, distance=0.0, smooth=0.0), KEEP) == [0]
    with pytest.raises(UserError, match="no column 'speed'"):
        paid(reward, KEEP, problem=Problem(0, "x", columns={"expert": [[0.0, 0.0]] * 2}))
    with pytest.raises(UserError, match="above 0"):
        trajectory(seconds=0.5, accel=0.0, curvature=1.0)


def told(recipe, off=1.5, smooth=0.5, grade=1.0, told=True, close=0.0):
    off, smooth, grade, close = (torch.tensor([float(one)]) for one in (off, smooth, grade, close))
    return released(recipe, off, smooth, grade, torch.tensor([told]), close).item()


def test_the_released_reward_for_comfort():
    assert told("comfort") == pytest.approx(-0.2 - 0.05)
    assert told("comfort", off=2.9999, smooth=1) == pytest.approx(-0.4, abs=1e-3)
    assert told("comfort", off=3.0) == -1
    assert told("comfort", grade=0.0, told=False, close=1) == pytest.approx(-0.25)


def test_the_released_reward_for_reasons_has_the_wrong_sign_within_its_gate():
    """-0.2 ADE/3 + 0.3 (s / -0.4) with s = grade - 1: 0 for the best reason, 0.225 for one graded 0.7."""
    assert told("reasoning") == pytest.approx(-0.1)
    assert told("reasoning", grade=0.7) == pytest.approx(-0.1 + 0.225)
    grades = [told("reasoning", grade=grade) for grade in (1.0, 0.9, 0.8, 0.7)]
    assert grades == sorted(grades) and len(set(grades)) == 4
    assert told("reasoning", grade=0.5) == told("reasoning", off=3.0) == told("reasoning", told=False) == -1


def test_the_later_one_mends_it():
    """-ADE/3 + 0.1 (comfort - 1) - 0.8 collides + 0.1 (s / 0.4), without a gate but for 5 m."""
    assert told("collision") == pytest.approx(-0.5 - 0.05)
    assert told("collision", grade=0.8, close=1.0) == pytest.approx(-0.55 - 0.8 - 0.05)
    assert told("collision", told=False) == pytest.approx(-0.55 - 0.1)
    assert told("collision", off=5.0) == -2 and told("collision", off=4.5) == pytest.approx(-1.55)
    grades = [told("collision", grade=grade) for grade in (0.0, 0.3, 0.6, 1.0)]
    assert grades == sorted(grades) and len(set(grades)) == 4
    with pytest.raises(UserError, match="comfort, reasoning, collision"):
        alpamayo(**UNITS, recipe="speed")


def test_the_released_rewards_of_texts():
    lacking = "<cause>red light</cause><intent>keep, straight</intent>"  # graded 2/3
    wrong = "<cause>red light</cause><intent>stop, straight</intent>"
    assert paid(alpamayo(**UNITS, recipe="comfort"), KEEP, "nothing") == [0, -1]
    slipped = paid(alpamayo(**UNITS, recipe="reasoning"), REASON + KEEP, lacking + KEEP, wrong + KEEP, KEEP)
    assert_close(slipped, [0.0, 0.25, -1.0, -1.0])
    far = {**SCENE.columns, "obstacles": []}
    found = paid(alpamayo(**UNITS), REASON + KEEP, lacking + KEEP, KEEP, problem=Problem(0, "x", columns=far))
    assert_close(found, [0.0, -1 / 12, -0.1])
