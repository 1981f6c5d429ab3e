"""A recipe that learns from a buffer is a recipe: its command line, its cells, what a claim reads off its run."""

import functools
import json
from pathlib import Path

import pytest

from rlft import recipes
from rlft.errors import UserError
from rlft.evidence.claim import as_plain
from rlft.methods.cal_ql import cal_ql
from rlft.methods.sac import sac
from rlft.offpolicy.critics import layer_norm
from rlft.offpolicy.critics import plain as unchanged
from rlft.offpolicy.values import least
from rlft.options.arguments import parse, plain
from rlft.reproduce.cells import Cell, with_settings
from rlft.reproduce.reproduce import reproduce
from rlft.runs.drive import drive
from rlft.runs.folder import Cadence, begin

FILE = str(Path(__file__).parent / "buffered.py")


def parsed(*words):
    return parse(recipes.named(FILE), words, "rlft run")


def test_the_command_line_takes_its_methods_and_no_other():
    usual, other = parsed("--method.tau", "0.5")["method"], parsed("--method", "cal_ql", "--method.n", "3")["method"]
    assert (usual.name, usual.settings["tau"], usual.critics, usual.norm) == ("sac", 0.5, 3, layer_norm)
    assert (other.name, other.settings["n"], other.critics, other.norm) == ("cal_ql", 3, 2, unchanged)
    with pytest.raises(UserError, match="method grpo learns from whole rollouts, and this run keeps single steps"):
        parsed("--method", "grpo")
    with pytest.raises(SystemExit):
        parsed("--method.clip", "0.2")


def test_its_methods_are_plain_values():
    method = sac(critics=3, norm=layer_norm)
    assert as_plain({"method": method})["method"] | {"norm": "layer_norm", "critics": 3, "actor": None} == as_plain(
        method
    )
    assert plain({"method": method, "steps": 1}) == {"method": {"name": "sac", **method.settings}, "steps": 1}
    assert with_settings({"method": method}, {"method.tau": 0.5})["method"].settings == {**method.settings, "tau": 0.5}
    assert as_plain(cal_ql()) != as_plain(cal_ql(norm=layer_norm))
    for nameless in (least(2), functools.partial(print), lambda q: q):
        with pytest.raises(UserError, match="functions of a module"):
            as_plain(sac(actor=nameless))
    folders = {Cell(FILE, "sac", 0, {"method.norm": norm}).folder(Path()) for norm in (layer_norm, unchanged)}
    assert len(folders) == 2


def test_a_claim_reads_its_run(tmp_path):
    """Two settings tried, one seed run; what it spent, and the evaluations on the way."""
    result = reproduce(FILE, tmp_path, workers=0)
    assert {row["settings"]["method.tau"] for row in result["tuning"]["sac"]} == {0.005, 0.5}
    run = result["arms"]["sac"]["runs"]["0"]
    assert run["cost/decisions/drawn"] == 40 and run["cost/rows/drawn"] == 4  # waves of two
    assert run["cost/updates"] == 2 * (40 - 12 + 1)
    assert run["seen"] == 5 and run["idle"] == 1 and run["dip"] >= 0
    assert {"before/success", "success", "train/q"} <= set(run)
    assert result["uneven"] == [] and "dip" in result["means"]["cql"]
    curve = result["arms"]["cql"]["curve"]
    assert curve["steps"] == [0, 1, 2, 3, 4] and len(set(curve["values"][0])) > 1
    assert not any("rewards differed" in log.read_text() for log in tmp_path.rglob("*.log"))


def test_stopped_and_resumed_its_evaluations_are_the_same(tmp_path):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    for folder in (straight, stopped):
        begin(folder, {})
    drive(recipes.named(FILE)(), straight, quiet=True, page=False)
    first = recipes.named(FILE)()
    go, left = first.trainer.advance, iter(range(13))  # iterations of two worlds: in the third step
    first.trainer.advance = functools.partial(_interrupted, go, left)
    with pytest.raises(KeyboardInterrupt):
        drive(first, stopped, Cadence(save=1), quiet=True, page=False)
    assert first.trainer.steps_done == 2
    drive(recipes.named(FILE)(), stopped, quiet=True, page=False)
    assert [line["step"] for line in _evaluations(straight)] == [0, 1, 2, 3, 4]
    assert _evaluations(stopped) == _evaluations(straight)


def _interrupted(go, left):
    if next(left, None) is None:
        raise KeyboardInterrupt
    return go()


def _evaluations(folder):
    lines = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
