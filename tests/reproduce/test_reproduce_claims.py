"""Every claim there is, found by walking the folder: its smoke run, and its committed result against the recipe."""

import importlib
import json
import math

import pytest

from rlft import recipes
from rlft.reproduce import arms, catalogue, declared, results
from rlft.reproduce.reproduce import concluded, reproduce
from rlft.runs import sources
from rlft.worlds import plane
from tests.jails import marked

CLAIMS = [name for name in recipes.names() if declared.declares(name)]
SPREAD = True  # over processes: each claim is a run of its own, and the bases are in the cache
COMMITTED = sorted(path.stem for path in results.FOLDER.glob("*.json"))


def test_results_are_of_claims():
    assert set(COMMITTED) <= set(CLAIMS)
    assert len(set(CLAIMS) & {system.key for system in catalogue.systems()}) >= 16


@pytest.mark.parametrize("name", CLAIMS)
def test_every_arm_is_to_be_run_on_enough_seeds(name):
    claim = arms.claim(name)
    assert {arm for arm in claim.arms if claim.seeds_of(arm) < 5} == set()


@pytest.fixture
def few_problems(monkeypatch):
    """Runs are evaluated on eight problems: two thirds of a smoke run's time are those of evaluations.

    And a quarter were the thousands of problems that a run's start reads to know its data again, which `sources` is
    tested for; the target in the plane is one of few points.
    """
    monkeypatch.setattr(sources, "_MOST", 8)
    monkeypatch.setattr(sources, "_PARTS", 8)
    monkeypatch.setattr(plane, "_POINTS", 512)
    monkeypatch.setattr(plane, "_PATHS", 64)
    module = importlib.import_module("rlft.runs.drive")
    evaluate = module.evaluate
    monkeypatch.setattr(
        module, "evaluate", lambda *given, problems, **more: evaluate(*given, problems=min(problems or 8, 8), **more)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", marked(CLAIMS))
def test_the_smoke_run_measures_every_arm(name, tmp_path, few_problems):
    result = reproduce(name, tmp_path, smoke=True, workers=0)
    assert set(result["arms"]) == {arm for arm, its in arms.claim(name).arms.items() if its.data is None}
    for arm, data in result["arms"].items():
        (run,) = data["runs"].values()
        assert run[result["claim"]["metric"]] is not None, arm
        trained = run["cost/updates"] > 0
        # a critic can learn from given episodes, of which nobody draws or shows another
        decided = run["cost/decisions/drawn"] + run["cost/rows/demonstrated"] > 0 or "train/loss/critic" in run
        assert not trained or decided or run["cost/rows/drawn"] * ("train/redrawn/first" in run) > 0, arm
        assert not trained or run.get("train/ratio/first", run.get("train/redrawn/first", 0.0)) <= 5e-5, arm
    assert len({json.dumps(data["arguments"]) for data in result["arms"].values()}) == len(result["arms"])


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_result_is_what_its_numbers_say(name):
    """The verdict, drawn again from every seed's number with the claim as it stands in the recipe."""
    result, claim = results.load(name), arms.claim(name)
    found = {
        arm: {
            int(seed): {n: math.nan if v is None else v for n, v in run.items()} for seed, run in data["runs"].items()
        }
        for arm, data in result["arms"].items()
    }
    drawn = concluded(claim, found)
    assert result["digest"] == claim.digest(recipes.named(name)), (
        "the claim has changed since: rlft reproduce KEY --publish"
    )
    assert drawn["verdict"] == result["verdict"]
    outcomes = [(s["metric"], s["arm"], s["outcome"]) for s in result["statements"]]
    assert outcomes == [(s["metric"], s["arm"], s["outcome"]) for s in drawn["statements"]]
    assert not result["smoke"]
    assert all(len(data["runs"]) == claim.seeds_of(arm) >= 5 for arm, data in result["arms"].items())
    assert not set(claim.tuning_seeds) & set(map(int, next(iter(result["arms"].values()))["runs"]))
