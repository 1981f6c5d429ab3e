"""`rlft study weights`: its table, its lines, and what it says of folders that it cannot read."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from rlft.measure.moved import Moved
from rlft.tool.main import main
from rlft.tool.study import table


def said(words):
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code


@pytest.fixture
def folders(tmp_path):
    start = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    for name, factor in (("before", 1.0), ("after", 2.0), ("second", 3.0)):
        (tmp_path / name).mkdir()
        weights = {"layers.0.q.weight": factor * start, "norm.weight": torch.ones(4)}
        save_file(weights, tmp_path / name / "model.safetensors")
    return [str(tmp_path / name) for name in ("before", "after", "second")]


def test_weights(folders, tmp_path, capsys):
    assert said(["study", "weights", *folders[:2], "--out", str(tmp_path / "lines.jsonl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["entries", "unchanged", "moved", "drift", "turned", "on", "average", "principal", "low"]
    assert lines[1].split()[:4] == ["q", "24", "0.0%", "1.00e+00"] and lines[2].split()[:3] == ["norm", "4", "100.0%"]
    assert lines[3].split()[:3] == ["all", "28", "14.3%"]
    kept = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [one["name"] for one in kept] == ["layers.0.q.weight", "norm.weight"]
    assert kept[0]["drift"] == pytest.approx(1, abs=1e-6) and kept[1]["drift"] is None


def test_two_runs_as_lines(folders, capsys):
    assert said(["study", "weights", *folders, "--json", "--only", "q"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["jaccard"] == 1 and json.loads(line)["chance"] == 1


def test_a_table_leaves_out_what_nobody_has():
    lines = table([Moved("q", 1200, 0.5, 0.25), Moved("norm", 4, 1.0, 0.0)])
    assert lines == [
        "      entries  unchanged     moved",
        "q       1,200      50.0%  2.50e-01",
        "norm        4     100.0%  0.00e+00",
    ]


def test_what_cannot_be_studied(folders, tmp_path, capsys):
    assert said(["study", "weights", folders[0], str(tmp_path / "nothing")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert said(["study", "weight", *folders]) == 2
    assert "did you mean study weights?" in capsys.readouterr().err
