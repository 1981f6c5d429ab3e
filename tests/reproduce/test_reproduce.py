"""From a claim to its result: tuning, resuming, pages. The recipe is a user's own file."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlft.errors import UserError
from rlft.methods.loop import loop
from rlft.reproduce import results
from rlft.reproduce.arms import claim
from rlft.reproduce.cells import Cell, measured, run_cell, with_settings
from rlft.reproduce.checking import checked
from rlft.reproduce.page import markdown
from rlft.reproduce.reproduce import concluded, grid, reproduce
from rlft.tool import claims as commands

REACH = str(Path(__file__).parent / "reach.py")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("reach")
    return root, reproduce(REACH, root, workers=0)


def test_every_arm_and_seed_is_measured(done):
    _, result = done
    assert result["verdict"] == "not reproduced"
    assert [s["outcome"] for s in result["statements"]] == ["fails", "holds"]
    run = result["arms"]["rloo"]["runs"]["1"]
    assert run["cost/rows/drawn"] == 6 * 16
    assert run["cost/updates"] == 6
    assert run["lines"] == 6
    assert run["evaluated"] == 4  # before, two on the way, after
    assert {"reward", "before/reward", "size", "train/entropy", "cost/seconds"} <= set(run)
    assert result["arms"]["base"]["runs"]["0"]["cost/rows/drawn"] == 0
    assert result["arms"]["rloo"]["curve"]["steps"] == [0, 2, 4, 6]
    assert len(result["arms"]["rloo"]["curve"]["values"]) == 2
    assert result["uneven"] == []
    assert {arm: [*data["runs"]] for arm, data in result["arms"].items()} == {
        "base": ["0", "1", "2"],
        "rloo": ["0", "1"],
        "reinforce": ["0", "1"],
    }


def test_arms_are_tuned_on_other_seeds_and_take_their_best(done):
    _, result = done
    assert set(result["tuning"]) == {"rloo", "reinforce"}
    for arm in ("rloo", "reinforce"):
        rows = result["tuning"][arm]
        assert [row["settings"] for row in rows] == [{"lr": 1e-3}, {"lr": 0.5}]
        best = max(rows, key=lambda row: row["values"][0])
        assert rows[0]["values"] != rows[1]["values"]
        assert result["arms"][arm]["chosen"] == best["settings"]
        assert result["arms"][arm]["arguments"]["lr"] == best["settings"]["lr"]


def test_what_is_done_is_not_done_again(done, monkeypatch):
    root, result = done
    monkeypatch.setattr("rlft.runs.drive", lambda *a, **k: pytest.fail("a run was made again"))
    again = reproduce(REACH, root, workers=0)
    assert again["arms"] == result["arms"]


def test_the_verdict_can_be_drawn_from_the_file_alone(done, tmp_path):
    _, result = done
    results.write(tmp_path / "reach.json", result)
    kept = results.read(tmp_path / "reach.json")
    assert kept == json.loads(json.dumps(result))
    found = {arm: {int(s): run for s, run in data["runs"].items()} for arm, data in kept["arms"].items()}
    drawn = concluded(claim(REACH), found)
    assert (drawn["verdict"], drawn["statements"]) == (kept["verdict"], kept["statements"])


def test_the_page_says_what_was_measured(done):
    _, result = done
    page = markdown(result, "Reach", reading="What it means.", figure="reach.svg")
    for words in ("not reproduced", "What it means.", "✗ fails", "![", "96 rows drawn", "lr 0.001", "rlft reproduce"):
        assert words in page, words
    assert "[arXiv:0000.00000]" in page


def test_a_smoke_run_takes_one_seed_and_tunes_nothing(tmp_path):
    result = reproduce(REACH, tmp_path, smoke=True, workers=0)
    assert result["tuning"] == {} and result["seeds"] == 1
    assert result["verdict"] == "inconclusive"
    assert result["arms"]["rloo"]["runs"]["0"]["cost/updates"] == 1
    assert "means nothing" in markdown(result, "Reach")


def test_other_arguments_are_another_folder(tmp_path):
    cells = [Cell(REACH, "rloo", 0), Cell(REACH, "rloo", 0, {"lr": 0.1}), Cell(REACH, "rloo", 1)]
    assert len({cell.folder(tmp_path) for cell in cells}) == 3
    assert with_settings({"method": loop(clip=0.1)}, {"method.minibatches": 3})["method"].settings == {
        "clip": 0.1,
        "epochs": 1,
        "minibatches": 3,
    }
    assert Cell(REACH, None, 3, words=("--steps", "2")).arguments()["steps"] == 2


def test_every_combination_of_a_grid():
    assert grid({"a": (1, 2), "b": (3,)}) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
    assert grid({}) == [{}]


def test_a_recipe_without_a_claim_is_told_from_those_with_one():
    with pytest.raises(UserError, match="makes no claim"):
        claim("arithmetic")


def test_the_machine_of_a_result_must_give_its_numbers(done, monkeypatch, tmp_path, capsys):
    _, result = done
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write(tmp_path / "reach.json", result)
    assert commands._contradicts(result) is False
    assert "7 of 7 runs" in capsys.readouterr().out
    other = json.loads(json.dumps(result))
    other["arms"]["rloo"]["runs"]["1"]["reward"] += 1e-9
    assert commands._contradicts(other) is True
    assert "rloo, seed 1: reward is" in capsys.readouterr().out


def test_what_a_clock_says_may_differ(done):
    _, result = done
    other, committed = (json.loads(json.dumps(result)) for _ in range(2))
    for name in ("cost/seconds", "speed/nltk"):
        other["arms"]["rloo"]["runs"]["0"][name] = 5.0
    lines, contradicted = checked(other, committed)
    assert not contradicted and all("equal in every number" in line for line in lines)
    other["arms"]["rloo"]["runs"]["0"]["speedy"] = 5.0
    assert checked(other, committed)[1]


def test_elsewhere_what_was_concluded_is_compared(done):
    """Another processor, another library, other seeds: numbers may differ, a statement that held must not fail."""
    _, result = done
    metric = result["claim"]["metric"]
    for change in ("model", "torch", "seeds", "unknown"):
        other = json.loads(json.dumps(result))
        for arm in other["arms"].values():
            for run in arm["runs"].values():
                run["reward"] += 1e-9
            arm["runs"] = {str(int(seed) + 5 * (change == "seeds")): run for seed, run in arm["runs"].items()}
        committed = json.loads(json.dumps(result))
        if change == "model":
            other["machine"]["model"] = "another processor"
        elif change == "torch":
            other["versions"]["torch"] = "1.0"
        elif change == "unknown":
            del committed["machine"]["model"]
        lines, contradicted = checked(other, committed)
        assert not contradicted
        assert any("what was concluded is compared" in line for line in lines), lines
        assert any("2 of 2 statements came out as committed" in line for line in lines)
        other["means"]["rloo"][metric]["mean"] += 1e6
        lines, contradicted = checked(other, committed)
        assert not contradicted and any(line.startswith(f"rloo: {metric} is 1") for line in lines)
        held = next(s for s in other["statements"] if s["outcome"] == "holds")
        held["outcome"] = "open"
        assert not checked(other, committed)[1]
        held["outcome"] = "fails"
        lines, contradicted = checked(other, committed)
        assert contradicted and f"“{held['text']}”: fails, committed holds" in lines


def test_other_seeds_can_be_asked_for(tmp_path):
    result = reproduce(REACH, tmp_path, smoke=True, workers=0, first_seed=7)
    assert set(result["arms"]["rloo"]["runs"]) == {"7"}
    with pytest.raises(UserError, match="seed 1000 is for tuning"):
        reproduce(REACH, tmp_path, seeds=2, first_seed=999, workers=0)


@pytest.mark.slow
def test_killed_half_way_it_goes_on_to_the_same_numbers(done, tmp_path):
    """SIGKILL of the parent in the middle of a run, then the same command: the numbers of the run that was never
    touched. Its workers end with it, and hold no folder."""
    _, straight = done
    words = [sys.executable, "-m", "rlft", "reproduce", REACH, "--out", str(tmp_path), "--workers", "1"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    started = time.monotonic()
    while not any((tmp_path / "runs").glob("*/checkpoints/step-*")):
        assert time.monotonic() - started < 120 and process.poll() is None
        time.sleep(0.01)
    workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.kill()
    process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert workers and time.monotonic() - started < 150
        time.sleep(0.01)
    unfinished = [f for f in (tmp_path / "runs").iterdir() if f.is_dir() and measured(f) is None]
    assert unfinished
    subprocess.run(words, check=True, capture_output=True, timeout=180)
    result = results.read(tmp_path / "result.json")
    for arm, data in straight["arms"].items():
        for seed, run in data["runs"].items():
            there = result["arms"][arm]["runs"][seed]
            assert {n: v for n, v in there.items() if n != "cost/seconds"} == {
                n: v for n, v in json.loads(json.dumps(run)).items() if n != "cost/seconds"
            }


def test_a_failing_run_is_named(tmp_path):
    with pytest.raises(UserError, match="lr must not be negative"):
        run_cell(Cell(REACH, "rloo", 0, {"lr": -1.0}), tmp_path)
