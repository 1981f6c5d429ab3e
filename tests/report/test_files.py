"""Parsing run folders: what is whole, what is torn, what is missing, what is not a run."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from rlft.report import read
from tests.report import run_folders


def test_a_whole_run(tmp_path):
    run = read(run_folders.language(tmp_path / "run", steps=30))
    assert (len(run.metrics), run.last_step, run.status, run.name) == (30, 30, "done", "run")
    assert len(run.evaluations) == 5
    assert [record["step"] for record in run.evaluations] == [0, 0, 15, 30, 30]
    assert len(run.samples) == 9
    assert run.notes == ()
    assert run.logged[:3] == ("reward", "reward/correct", "reward/format")


def test_a_torn_last_line_is_left_out_and_reported(tmp_path):
    path = run_folders.folder(tmp_path, info={}, metrics=[{"step": 1, "reward": 0.5}, {"step": 2, "reward": 0.75}])
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "rewa')
    run = read(path)
    assert [r["reward"] for r in run.metrics] == [0.5, 0.75]
    assert len(run.notes) == 1
    assert "last line of metrics.jsonl is torn" in run.notes[0]


def test_a_torn_line_that_happens_to_be_json_is_torn_too(tmp_path):
    path = run_folders.folder(tmp_path, info={}, metrics=[{"step": 1}])
    with (path / "metrics.jsonl").open("a") as file:
        file.write("12")
    assert "torn" in read(path).notes[0]


def test_a_broken_line_inside_names_its_number(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n\n{"step": \n{"step": 4}\n')
    run = read(tmp_path)
    assert [r["step"] for r in run.metrics] == [1, 4]
    assert run.notes == ("Line 3 of metrics.jsonl is not a JSON object and was left out.",)


def test_missing_files_are_empty(tmp_path):
    run = read(run_folders.folder(tmp_path, info={"status": "running", "steps": 9}))
    assert (run.metrics, run.evaluations, run.samples) == ((), (), ())
    assert (run.last_step, run.status) == (0, "running")
    steps, values = run.column("reward")
    assert steps.shape == values.shape == (0,)


def test_metrics_without_run_json_still_are_a_run(tmp_path):
    run = read(run_folders.folder(tmp_path, metrics=[{"step": 1, "reward": 1.0}]))
    assert run.info == {}
    assert run.status == "unknown"
    assert "no run.json" in run.notes[0]


def test_a_broken_run_json_is_noted(tmp_path):
    path = run_folders.folder(tmp_path, metrics=[{"step": 1}])
    (path / "run.json").write_text('{"command": ["rl')
    run = read(path)
    assert run.info == {}
    assert run.notes == ("run.json is not a JSON object and was left out.",)


@pytest.mark.parametrize("make", [lambda path: path / "nowhere", lambda path: path])
def test_what_is_not_a_run_says_so(tmp_path, make):
    with pytest.raises(ValueError, match=r"run folder.*--out"):
        read(make(tmp_path))


def test_a_step_logged_again_counts_as_logged_last(tmp_path):
    again = [{"step": s, "reward": 0.1 * s + offset} for s, offset in ((1, 0), (2, 0), (3, 0), (2, 5), (3, 5), (4, 5))]
    run = read(run_folders.folder(tmp_path, info={}, metrics=again))
    assert [r["step"] for r in run.metrics] == [1, 2, 3, 4]
    np.testing.assert_allclose(run.column("reward")[1], [0.1, 5.2, 5.3, 5.4])
    assert run.notes == ("2 lines of metrics.jsonl were written again, as after a resume; the later ones count.",)


def test_null_is_not_measured_and_nan_is_kept(tmp_path):
    lines = [
        {"step": 1, "kl": None},
        {"step": 2, "kl": math.nan},
        {"step": 3},
        {"step": 4, "kl": 2},
        {"step": 5, "kl": "x"},
    ]
    steps, values = read(run_folders.folder(tmp_path, info={}, metrics=lines)).column("kl")
    assert steps.tolist() == [2.0, 4.0]
    assert math.isnan(values[0])
    assert values[1] == 2.0


def test_lines_without_steps_are_counted(tmp_path):
    lines = [{"reward": 1.0}, {"reward": 2.0}, {"step": 7, "reward": 3.0}, {"step": None, "reward": 4.0}]
    run = read(run_folders.folder(tmp_path, info={}, metrics=lines))
    assert [r["step"] for r in run.metrics] == [1, 2, 7, 8]


def test_the_report_needs_no_torch(tmp_path):
    """The package is used beside a run, on machines without one, and by the tool before it has loaded anything."""
    run_folders.folder(tmp_path, info={"command": ["x"]}, metrics=[{"step": 1, "reward": 1.0}])
    program = (
        "import sys, json\n"
        "import rlft.report, rlft.report.live\n"
        f"path = {str(tmp_path)!r}\n"
        "rlft.report.summary_lines(rlft.report.read(path))\n"
        "early = [m for m in ('torch', 'matplotlib') if m in sys.modules]\n"
        "rlft.report.write(path)\n"
        "ours = [m for m in sys.modules if m.startswith('rlft.') and not m.startswith('rlft.report')]\n"
        "print(json.dumps([early, 'torch' in sys.modules, ours]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], False, []]
