"""Trackio's own file holds what the log says, once, also of a run that was killed."""

import json
import sqlite3

from tests.trackers.killed import curves, killed_and_gone_on, needs

pytestmark = needs("trackio")


def test_every_number_is_there_once(tmp_path):
    folder = tmp_path / "run"
    killed_and_gone_on(folder, "trackio", TRACKIO_DIR=str(tmp_path / "kept"))
    with sqlite3.connect(tmp_path / "kept" / "rlft.db") as file:
        rows = file.execute("select run_name, step, metrics from metrics order by id").fetchall()
    identity = json.loads((folder / "trackers" / "trackio.json").read_text())["identity"]
    assert {name for name, _, _ in rows} == {f"run-{identity}"}
    told = [(step, json.loads(metrics)) for _, step, metrics in rows]
    for name, points in curves(folder).items():
        assert [(step, line[name]) for step, line in told if name in line] == points, name
    texts = [(step, line["samples/place"]) for step, line in told if "samples/place" in line]
    assert texts == [(step, place) for step in (1, 3, 6) for place in (1, 2)]
    assert sum("samples/1/1" in line for _, line in told) == 3
    assert "held-out reward" in [line for _, line in told if "summary" in line][-1]["summary"]["_value"]
