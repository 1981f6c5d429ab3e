"""Scenes and what is done in them, by hand; what every scene keeps."""

import pytest
import torch

from rlft.rewards.driving import texts_of
from rlft.tasks.driving import CONTROLS, Driving, planned, posed, told
from rlft.types import UserError


def plan(words, driver="expert"):
    found = planned(told(words), driver)
    return found.cause, found.pace, found.side, [a for a, _ in found.controls]


def test_what_is_ahead_decides_and_the_nearer_first():
    assert plan("speed 6, nobody, no light, lane left.") == ("clear road", "keep", "left", [0] * 8)
    assert plan("speed 4, nobody, green light, lane right.")[:3] == ("clear road", "speed up", "right")
    assert plan("speed 8, walker at 20, no light, lane straight.")[:3] == ("walker", "slow", "straight")
    assert plan("speed 8, car at 20, red light at 18, lane straight.")[:2] == ("red light", "stop")
    assert plan("speed 8, car at 18, red light at 20, lane straight.")[:2] == ("car", "stop")
    assert plan("speed 8, walker at 14, red light at 20, lane straight.")[:2] == ("red light", "stop")
    # 24 m in four seconds, and 8 to spare
    assert plan("speed 6, car at 30, no light, lane straight.")[1] == "stop"
    assert plan("speed 5, car at 30, no light, lane straight.")[1] == "speed up"


def test_drivers():
    words = "speed 8, car at 18, no light, lane straight."
    ends = {driver: ended(words, driver) for driver in ("expert", "late", "blind")}
    assert ends["expert"][0] == ends["late"][0] == 0 and ends["blind"] == (8, 32)
    assert ends["expert"][1] <= 14 < ends["late"][1] <= 17
    assert plan(words, "late")[:3] == plan(words)[:3] and plan(words, "blind")[0] == "clear road"


def ended(words, driver):
    controls = torch.tensor(planned(told(words), driver).controls)[None].float() * torch.tensor([1.0, 0.05])
    from rlft.environments.unicycle import driven

    way = driven(torch.tensor([float(told(words).speed)]), controls[..., 0], controls[..., 1], 0.5)
    return way.speed[0, -1].item(), way.position[0, -1, 0].item()


def test_the_expert_is_right_in_every_scene():
    for split in ("train", "test"):
        problems = [Driving(split=split).at(index) for index in range(100)]
        assert all(told(problem.input).words == problem.input for problem in problems)
        shown = texts_of(problems, [problem.demonstration for problem in problems])
        seen = CONTROLS.seen(problems, shown, 2.0)
        assert seen.off.max() < 1e-4 and seen.close.sum() == 0 and seen.smooth.min() == 1
        assert seen.agrees(shown) == [1] * 100
        assert [", ".join(done) for done in seen.done] == [problem.columns["intent"] for problem in problems]


def test_splits_share_no_scene():
    seen = {split: {Driving(split=split).at(index).input for index in range(300)} for split in ("train", "test")}
    assert not seen["train"] & seen["test"] and len(seen["test"]) > 100
    assert Driving().at(3) == Driving().at(3)


def test_where_things_are():
    columns = posed(0, told("speed 8, car at 18, red light at 20, lane left.")).columns
    (x, y), (_, behind) = columns["obstacles"]
    assert x == pytest.approx(20 * torch.tensor(0.9).sin().item()) and 0 < y < behind
    assert posed(0, told("speed 8, walker at 18, no light, lane left.")).columns["obstacles"] == []


def test_what_is_no_scene_is_said():
    with pytest.raises(UserError, match="is no scene"):
        told("speed 8")
    with pytest.raises(UserError, match="train, test"):
        Driving(split="all")
    with pytest.raises(IndexError):
        Driving(size=3).at(3)
