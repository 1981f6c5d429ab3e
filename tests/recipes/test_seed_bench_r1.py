"""The claim's command at full size, on a tiny model of the family after the paper's, and how its arms differ."""

import json

import pytest

from rlft.policies.language.policy import Language
from rlft.recipes.seed_bench_r1 import CLAIM
from tests.policies.perception.families import qwen_vl
from tests.tasks.test_films import written
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_the_command_trains_on_films(tmp_path, monkeypatch):
    Language(*qwen_vl("2.5")).save(tmp_path / "model")
    written(tmp_path)
    rows = [{"prompt": "dark?", "video": name, "answer": "B"} for name in ("film.mp4", "frames", "film.npy")]
    (tmp_path / "films.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    values = {"--model": "model", "--data": "films.jsonl", "--frames": 2, "--lr": 1e-3}
    values |= {"--steps": 1, "--prompts": 3, "--group": 4, "--max-new-tokens": 3}
    assert (
        tool(*exchanged(CLAIM.real, values, ("--steps", "--prompts", "--group", "--max-new-tokens")), "--out", "run")
        == 0
    )
    (line,) = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert line["rows/drawn"] == 12 and line["ratio/first"] <= 5e-5 and line["updates"] == 1


def test_all_arms_have_the_same_budget_and_what_is_trained_on_is_the_first_level():
    arms = {name: dict(arm.arguments) for name, arm in CLAIM.arms.items()}
    assert {name for name, told in arms.items() if told.keys() & {"steps", "prompts", "group"}} == {"base"}
    assert [name for name, told in arms.items() if "level" in told] == ["all"]
    assert CLAIM.grid_of("sft") == CLAIM.grid_of("grpo") == CLAIM.grid
