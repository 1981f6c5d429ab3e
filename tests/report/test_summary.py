"""Words for numbers, arithmetic on series, and the summary: exact values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlft.report import read, series, summary_lines, words
from rlft.report.summary import evaluation_table, facts, headline, total_seconds
from tests.report import run_folders


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (0.0, "0"),
        (-0.0, "0"),
        (3.0, "3"),
        (99999.0, "99,999"),
        (1234567.5, "1,234,568"),
        (12345678.9, "1.2e7"),
        (0.4119, "0.412"),
        (-0.052, "-0.052"),
        (0.003, "0.0030"),
        (0.00061, "0.00061"),
        (0.0004, "4e-4"),
        (5e-5, "5e-5"),
        (1.26e-7, "1.3e-7"),
        (3.14159, "3.14"),
        (31.416, "31.4"),
        (314.16, "314"),
    ],
)
def test_number(value, expected):
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (250, "4 min 10 s"),
        (7500, "2 h 05 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_duration(seconds, expected):
    assert words.duration(seconds) == expected


def test_change_and_percent():
    assert words.change(0.31, 0.72) == "+0.410"
    assert words.change(5.0, 3.5) == "-1.50"
    assert words.change(2.0, 2.0) == "+0"
    assert words.change(None, 1.0) == words.change(math.nan, 1.0) == words.change(1.0, math.inf) == ""
    assert [words.percent(s) for s in (0.0, 0.001, 0.034, 0.999, 1.0)] == [
        "0 %",
        "under 1 %",
        "3 %",
        "over 99 %",
        "100 %",
    ]


def test_ends_are_means_of_the_first_and_last_tenth():
    # 25 values: a tenth is 2.5, so three values at each end; (0 + 1 + 2) / 3 and (22 + 23 + 24) / 3
    assert series.ends(np.arange(25.0)) == (1.0, 23.0)
    # 11 values: two; 30 values: exactly three
    assert series.ends(np.arange(11.0)) == (0.5, 9.5)
    assert series.ends(np.arange(30.0)) == (1.0, 28.0)
    # NaN is left out of a mean, and a tenth of nothing but NaN has none
    assert series.ends(np.array([math.nan] * 2 + [4.0] * 16 + [5.0, math.nan])) == (None, 5.0)
    assert series.ends(np.array([7.0])) == (7.0, 7.0)


def test_smooth():
    # (1+2)/2, (1+2+6)/3, (2+6)/2 with NaN left out, 6 alone with NaN beside it, then (8+.)/1
    values = np.array([1.0, 2.0, 6.0, math.nan, 8.0])
    np.testing.assert_allclose(series.smooth(values, 3), [1.5, 3.0, 4.0, 7.0, 8.0])
    np.testing.assert_array_equal(series.smooth(values, 1), values)
    wide = series.smooth(np.array([1.0, 3.0]), 5)
    np.testing.assert_allclose(wide, [2.0, 2.0])
    assert [series.window(n) for n in (0, 10, 39, 60, 200, 5000)] == [1, 1, 1, 3, 11, 251]


def test_thin():
    steps, values = np.arange(1.0, 9.0), np.array([1.0, 5.0, math.nan, math.inf, 2.0, math.nan, math.nan, -4.0])
    where, low, mid, high = series.thin(steps, values, 4)
    np.testing.assert_allclose(where, [1.5, 3.5, 5.5, 7.5])
    np.testing.assert_allclose(low, [1.0, math.nan, 2.0, -4.0])
    np.testing.assert_allclose(mid, [3.0, math.nan, 2.0, -4.0])
    np.testing.assert_allclose(high, [5.0, math.nan, 2.0, -4.0])
    where, low, mid, high = series.thin(steps, values, 8)
    np.testing.assert_array_equal(where, steps)
    np.testing.assert_array_equal(mid, [1.0, 5.0, math.nan, math.nan, 2.0, math.nan, math.nan, -4.0])
    where, _, mid, _ = series.thin(np.arange(1000.0), np.arange(1000.0), 7)
    assert len(where) == 7
    np.testing.assert_allclose(where, mid)


def test_trend():
    assert series.trend(np.arange(19.0)) is None
    # a straight line: last fifth 16..19, first 0..3, and no noise at all
    assert series.trend(np.arange(20.0)) == (16.0, 0.0)
    # +1, -1, +1 ...: differences are -2, 2, -2 ... (19 of them, ten -2): std = sqrt(4 - (2/19)^2), noise = std / sqrt 2
    moved, error = series.trend(np.array([1.0, -1.0] * 10))
    assert moved == 0.0
    assert error == pytest.approx(math.sqrt(4 - (2 / 19) ** 2) / math.sqrt(2) * math.sqrt(2 / 4))


def _run(tmp_path, **files):
    return read(run_folders.folder(tmp_path, info={"status": "done", "steps": 20}, **files))


def test_summary_by_hand(tmp_path):
    metrics = [
        {"step": s, "reward": s / 10, "kl": 0.5 if s > 18 else 0.25, "length": 7, "seconds/step": 1.5}
        | {"decisions_per_second": 1000 + s}
        for s in range(1, 21)
    ]
    evaluations = [
        {"step": 0, "name": "held-out", "reward": 0.25, "interval": [0.2, 0.3], "problems": 40, "samples": 2},
        {"step": 20, "name": "held-out", "reward": 0.5, "interval": [0.45, 0.55], "problems": 40, "samples": 2},
    ]
    run = _run(tmp_path, metrics=metrics, evaluations=evaluations)
    # training: (0.1 + 0.2) / 2 and (1.9 + 2.0) / 2; speed: (1001 + 1002) / 2 and (1019 + 1020) / 2; time: 20 * 1.5
    assert summary_lines(run) == [
        ("held-out reward", "0.250 [0.200, 0.300] → 0.500 [0.450, 0.550] (+0.250)"),
        ("training reward", "0.150 → 1.95 (+1.80)"),
        ("KL to the start", "0.250 → 0.500 (+0.250)"),
        ("length", "7 → 7 (+0)"),
        ("decisions per second", "1,002 → 1,020 (+18)"),
        ("steps", "20 steps"),
        ("time", "30 s"),
    ]
    assert headline(run) == "Held-out reward rose from 0.250 to 0.500 (20 steps, 30 s)."
    assert facts(run)[0].note == "steps 0 and 20; 40 problems × 2 samples"


def test_nan_is_left_out_of_means_and_missing_keys_out_of_the_table(tmp_path):
    lines = [{"step": s, "reward": math.nan if s == 2 else 0.5, "kl": None} for s in range(1, 21)]
    run = _run(tmp_path, metrics=lines)
    assert summary_lines(run) == [("training reward", "0.500 → 0.500 (+0)"), ("steps", "20 steps"), ("time", "–")]
    assert headline(run) == "Training reward stayed at 0.500 (20 steps)."


def test_overlapping_intervals_are_said(tmp_path):
    pair = [
        {"step": s, "name": "held-out", "reward": r, "interval": [r - 0.1, r + 0.1]} for s, r in ((0, 0.5), (20, 0.4))
    ]
    run = _run(tmp_path, metrics=[{"step": 20, "reward": 1.0}], evaluations=pair)
    assert headline(run) == "Held-out reward fell from 0.500 to 0.400, within overlapping intervals (20 steps)."


def test_an_only_evaluation_is_before_if_it_was_made_before_training(tmp_path):
    for step, expected in ((0, (0.3, None)), (20, (None, 0.3))):
        only = [{"step": step, "name": "held-out", "reward": 0.3}]
        run = _run(tmp_path / str(step), metrics=[{"step": 20, "reward": 1.0}], evaluations=only)
        assert (facts(run)[0].before, facts(run)[0].after) == expected


def test_time_falls_back_to_the_stages(tmp_path):
    lines = [{"step": 1, "seconds/sample": 2.0, "seconds/update": 1.0}, {"step": 2, "seconds/sample": 4.0}]
    assert total_seconds(_run(tmp_path, metrics=lines)) == 7.0


def test_a_run_that_is_going_says_how_far(tmp_path):
    run = read(run_folders.folder(tmp_path, info={"steps": 200}, metrics=[{"step": 120, "reward": 1.0}]))
    assert ("steps", "120 of 200 steps") in summary_lines(run)


def test_evaluations_with_other_measures_and_names(tmp_path):
    evaluations = [
        {"step": 0, "name": "a", "reward": 1, "pass@4": 0.5},
        {"step": 0, "name": "b", "distance": 2.5},
        {
            "step": 9,
            "name": "a",
            "when": "after",
            "diversity": None,
            "reward": None,
            "pass@4": 0.75,
            "interval": [None, 2],
        },
    ]
    run = _run(tmp_path, metrics=[{"step": 9}], evaluations=evaluations)
    assert [(f.label, f.before, f.after) for f in facts(run)] == [("a pass@4", 0.5, 0.75), ("b distance", 2.5, None)]
    table = evaluation_table(run)
    assert table.columns == ("evaluation", "step", "reward", "pass@4", "distance", "interval")
    assert table.rows[1] == ("a", "9", "–", "0.750", "–", "")
