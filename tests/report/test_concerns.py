"""Each concern fires exactly when its rule says so: just beyond the threshold, and not at it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from rlft.report import read
from rlft.report.concerns import concerns
from tests.report import run_folders

Records = list[dict[str, Any]]


def steady(steps: int = 40) -> Records:
    """A run about which nothing is to be said: the reward rises, everything else is level."""
    return [
        {
            "step": s,
            "reward": s / steps + 0.01 * (-1) ** s,
            "reward_std": 0.3,
            "loss": 0.0,
            "grad_norm": 0.4,
            "kl": 0.02,
        }
        | {"entropy": 1.0, "ratio/first": 1e-6, "rows/unscored": 0, "truncated": 0.05}
        for s in range(1, steps + 1)
    ]


def setting(key: str, value: Any, where: Callable[[int], bool] = lambda step: True) -> Records:
    """`steady` with one key changed at the steps where."""
    lines = steady()
    for line in lines:
        if where(line["step"]):
            line[key] = value(line["step"]) if callable(value) else value
    return lines


def evaluated(*rewards: float | None) -> Records:
    return [{"step": 20 * i, "name": "held-out", "reward": reward} for i, reward in enumerate(rewards)]


def rows(ended: int, of: int) -> Records:
    row = {"kind": "text", "text": "x", "reward": 0.0}
    last = [{**row, "truncated": i < ended} for i in range(of)]
    early = [{**row, "truncated": True} for _ in range(of)]
    return [{"step": 1, "problem": {"index": 0}, "rows": early}, {"step": 40, "problem": {"index": 0}, "rows": last}]


def drawn(first: int, last: int, of: int = 10) -> Records:
    """Two steps of one picture each, with so many pixels of ten at the ends of their range."""

    def step(number: int, ends: int) -> dict[str, Any]:
        pixels = [(-1.0 if i % 2 else 1.3) if i < ends else 0.99 for i in range(of)]
        return {"step": number, "problem": {"index": 0}, "rows": [{"kind": "image", "pixels": [pixels], "reward": 0.0}]}

    return [step(1, first), step(40, last)]


def rising(before: float, after: float, kl: bool = False) -> Records:
    """A reward of two levels, with a KL or without."""
    lines = steady() if kl else without("kl")
    return [{**line, "reward": before if line["step"] <= 20 else after} for line in lines]


def without(key: str) -> Records:
    return [{k: v for k, v in line.items() if k != key} for line in steady()]


CASES: list[tuple[str, set[str], dict[str, Records]]] = [
    ("nothing to say", set(), {"metrics": steady()}),
    ("no steps at all", set(), {}),
    ("one step", set(), {"metrics": steady(1)}),
    # what a reward may be gamed by
    ("a hundredfold without KL", {"unwatched"}, {"metrics": rising(0.01, 1.0)}),
    ("a hundredfold with KL", set(), {"metrics": rising(0.01, 1.0, kl=True)}),
    ("hardly a hundredfold without KL", set(), {"metrics": rising(0.01, 0.99)}),
    ("from nothing without KL", set(), {"metrics": rising(0.0, 1.0)}),
    ("pictures at the ends", {"saturated"}, {"metrics": steady(), "samples": drawn(3, 6)}),
    ("half of the pixels", set(), {"metrics": steady(), "samples": drawn(0, 5)}),
    ("hardly more than before", set(), {"metrics": steady(), "samples": drawn(5, 6)}),
    ("as black and white as before", set(), {"metrics": steady(), "samples": drawn(8, 9)}),
    (
        "broken pictures",
        set(),
        {"metrics": steady(), "samples": [{**r, "rows": [{"kind": "image"}]} for r in drawn(0, 9)]},
    ),
    # numbers
    ("NaN gradient once", {"nan"}, {"metrics": setting("grad_norm", math.nan, lambda s: s == 7)}),
    ("infinite kl once", {"nan"}, {"metrics": setting("kl", math.inf, lambda s: s == 7)}),
    ("null loss once", {"nan"}, {"metrics": setting("loss", None, lambda s: s == 7)}),
    ("null kl is only not measured", set(), {"metrics": setting("kl", None, lambda s: s % 2 == 0)}),
    # parity
    ("ratio at the tolerance", set(), {"metrics": setting("ratio/first", 5e-5)}),
    ("ratio beyond it once", {"parity"}, {"metrics": setting("ratio/first", 5.1e-5, lambda s: s == 40)}),
    ("ratio below by as much", {"parity"}, {"metrics": setting("ratio/first", -5.1e-5, lambda s: s == 40)}),
    # unscored
    ("one unscored row", {"unscored"}, {"metrics": setting("rows/unscored", 1, lambda s: s == 9)}),
    # no contrast: more than a fifth of 40 steps is nine
    ("eight steps of equal rewards", set(), {"metrics": setting("reward_std", 0.0, lambda s: s <= 8)}),
    ("nine steps of equal rewards", {"contrast"}, {"metrics": setting("reward_std", 0.0, lambda s: s <= 9)}),
    ("nine steps of no gradient", {"contrast"}, {"metrics": setting("grad_norm", 0.0, lambda s: s <= 9)}),
    ("gradient 0 with a loss", set(), {"metrics": [r | {"grad_norm": 0.0, "loss": 0.1} for r in steady()]}),
    ("equal rewards in four steps of four", set(), {"metrics": setting("reward_std", 0.0)[:4]}),
    ("equal rewards in five of five", {"contrast"}, {"metrics": setting("reward_std", 0.0)[:5]}),
    # KL: five times the middle and above 0.1, or above 10
    ("nine steps of flat groups", {"contrast"}, {"metrics": setting("groups/flat", lambda s: 1.0 if s <= 9 else 0.0)}),
    ("half of the groups flat", set(), {"metrics": setting("groups/flat", 0.5)}),
    ("more than half of the groups flat", {"contrast"}, {"metrics": setting("groups/flat", 0.51)}),
    # KL
    ("kl level and large", set(), {"metrics": setting("kl", 9.9)}),
    ("kl just under a nat a decision", set(), {"metrics": [r | {"kl": 49.0, "length": 50} for r in steady()]}),
    ("kl over a nat a decision", {"kl"}, {"metrics": [r | {"kl": 3.1, "length": 3} for r in steady()]}),
    ("kl level and huge", {"kl"}, {"metrics": setting("kl", 10.1)}),
    ("kl four times the middle", set(), {"metrics": setting("kl", lambda s: 0.4 if s > 36 else 0.1)}),
    ("kl six times the middle", {"kl"}, {"metrics": setting("kl", lambda s: 0.6 if s > 36 else 0.1)}),
    ("kl six times the middle but small", set(), {"metrics": setting("kl", lambda s: 0.06 if s > 36 else 0.01)}),
    ("kl six times the middle in 19 steps", set(), {"metrics": setting("kl", lambda s: 9 if s > 17 else 0.1)[:19]}),
    # entropy: a tenth of where it began
    ("entropy at a tenth", set(), {"metrics": setting("entropy", 0.1, lambda s: s > 36)}),
    ("entropy below a tenth", {"entropy"}, {"metrics": setting("entropy", 0.09, lambda s: s > 36)}),
    ("differential entropy may be negative", set(), {"metrics": setting("entropy", lambda s: -1.0 - s)}),
    ("and may become so", set(), {"metrics": setting("entropy", -1.0, lambda s: s > 36)}),
    # flat: within two standard errors
    ("reward level", {"flat"}, {"metrics": setting("reward", 0.5)}),
    ("reward noisy and level", {"flat"}, {"metrics": setting("reward", lambda s: 0.5 + 0.1 * (-1) ** s)}),
    ("reward falls", {"flat"}, {"metrics": setting("reward", lambda s: 1.0 - s / 40)}),
    ("reward level in 19 steps", set(), {"metrics": setting("reward", 0.5)[:19]}),
    ("no reward logged", set(), {"metrics": without("reward")}),
    # held out
    ("held-out rises", set(), {"metrics": steady(), "evaluations": evaluated(0.2, 0.1, 0.3)}),
    ("held-out stays", {"held-out"}, {"metrics": steady(), "evaluations": evaluated(0.2, 0.4, 0.2)}),
    ("held-out falls", {"held-out"}, {"metrics": steady(), "evaluations": evaluated(0.2, 0.1)}),
    ("held-out once", set(), {"metrics": steady(), "evaluations": evaluated(0.2)}),
    ("held-out not scored at the end", set(), {"metrics": steady(), "evaluations": evaluated(0.2, None)}),
    ("both flat: said once", {"flat"}, {"metrics": setting("reward", 0.5), "evaluations": evaluated(0.2, 0.1)}),
    # cut off: more than a tenth at the end
    ("a tenth cut off", set(), {"metrics": setting("truncated", 0.1)}),
    ("more than a tenth cut off", {"length"}, {"metrics": setting("truncated", 0.11)}),
    ("a measure says so", {"length"}, {"metrics": setting("measure/truncated", 0.2)}),
    ("cut off at first", set(), {"metrics": setting("truncated", lambda s: 0.9 if s < 30 else 0.0)}),
    ("one sample of ten cut off", set(), {"metrics": without("truncated"), "samples": rows(1, 10)}),
    ("two samples of ten cut off", {"length"}, {"metrics": without("truncated"), "samples": rows(2, 10)}),
]


@pytest.mark.parametrize(("expected", "files"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_concerns(tmp_path, expected, files):
    run = read(run_folders.folder(tmp_path, info={"status": "done"}, **files))
    assert {concern.name for concern in concerns(run)} == expected


def test_groups_of_one_are_flat_by_nature(tmp_path):
    for group, expected in ((1, []), (2, ["contrast"])):
        lines = setting("groups/flat", 1.0)
        run = read(run_folders.folder(tmp_path / str(group), info={"arguments": {"group": group}}, metrics=lines))
        assert [c.name for c in concerns(run)] == expected


def test_a_failed_run_says_why(tmp_path):
    info = {"status": "failed", "error": "CUDA out of memory"}
    found = concerns(read(run_folders.folder(tmp_path, info=info)))
    assert [c.name for c in found] == ["failed"]
    assert "CUDA out of memory" in found[0].text


def test_the_words_have_the_numbers(tmp_path):
    lines = setting("rows/unscored", 3, lambda s: s in (4, 9))
    lines[5]["ratio/first"] = 2.5e-4
    lines[7]["grad_norm"] = math.nan
    text = {c.name: c.text for c in concerns(read(run_folders.folder(tmp_path, info={}, metrics=lines)))}
    assert "could not score 6 rows, in 2 steps" in text["unscored"]
    assert "off by up to 2.5e-4 and by more than 5e-5 in 1 of 40 steps" in text["parity"]
    assert "grad_norm in 1 step." in text["nan"]
