"""Runs whose reward is a served judge: it dies in the middle of a step, and the run goes on as if it had not."""

import hashlib
import json

import pytest

from rlft.rewards.judging import server
from tests.rewards.judging.stand_in import StandIn
from tests.tool.letters import model_and_rows
from tests.tool.test_main import tool

pytestmark = pytest.mark.usefixtures("no_pages")
STEPS, ROWS = 4, 6


def score_of(text, times):
    return f"Score: 0.{int(hashlib.sha256(text.encode()).hexdigest(), 16) % 1000:03d}"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model and data, and a run that nothing happened to, with the number of its requests."""
    folder = tmp_path_factory.mktemp("judged")
    model_and_rows(folder)
    (folder / "judge.txt").write_text("Rate {completion} as an answer to {prompt}")
    stand_in = StandIn(score_of)
    assert train(folder, stand_in, folder / "straight") == 0
    stand_in.stop()
    return folder, sum(stand_in.asked.values())


def train(folder, stand_in, out, cache=""):
    told = (
        f"judge(url={stand_in.url!r}, model='m', prompt={str(folder / 'judge.txt')!r}, patience=0.1, cache={cache!r})"
    )
    words = ["--model", folder / "model", "--data", folder / "data.jsonl", "--reward", told, "--steps", STEPS]
    words += [
        "--max-new-tokens",
        4,
        "--prompts",
        2,
        "--group",
        ROWS // 2,
        "--lr",
        1e-2,
        "--save-every",
        2,
        "--samples-every",
        1,
    ]
    return tool("train", *words, "--out", out)


def logged(folder, name="metrics"):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def learned(folder):
    """What two runs must have alike, whoever answered and when."""
    rewards = [(one["step"], one["reward"], one["loss"], one["kl"]) for one in logged(folder)]
    lines = logged(folder, "samples")
    samples = [(line["step"], row["text"], row["reward"]) for line in lines for row in line["rows"]]
    assert len(samples) >= ROWS
    return rewards, samples, (folder / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("cached", [False, True])
def test_a_judge_that_dies_in_a_step_stops_the_run_and_it_goes_on(place, tmp_path, monkeypatch, capsys, cached):
    folder, requests = place
    monkeypatch.setattr(server, "_FIRST_WAIT", 0.01)
    stand_in = StandIn(score_of, dies_at=requests - 4)
    cache = str(tmp_path / "judged.jsonl") if cached else ""
    assert train(folder, stand_in, tmp_path / "run", cache) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "does not answer" in told
    assert f"rlft train --resume {tmp_path / 'run'}" in told
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "stopped"
    before = logged(tmp_path / "run")
    assert 0 < len(before) < STEPS
    assert {line["step"] for line in logged(tmp_path / "run", "samples")} <= {line["step"] for line in before}
    paid = sum(stand_in.asked.values())
    stand_in.stop()
    assert tool("train", "--resume", tmp_path / "run") == 3  # still away
    stand_in.dies_at = None
    stand_in.start()
    assert tool("train", "--resume", tmp_path / "run") == 0
    assert learned(tmp_path / "run") == learned(folder / "straight")
    assert sum(stand_in.asked.values()) == requests if cached else sum(stand_in.asked.values()) > paid
    stand_in.stop()


def test_one_that_is_away_at_the_start_leaves_a_run_to_go_on_with(place, tmp_path, monkeypatch):
    folder, _ = place
    monkeypatch.setattr(server, "_FIRST_WAIT", 0.01)
    stand_in = StandIn(score_of)
    stand_in.stop()
    assert train(folder, stand_in, tmp_path / "run") == 3
    stand_in.start()
    assert tool("train", "--resume", tmp_path / "run") == 0
    assert learned(tmp_path / "run") == learned(folder / "straight")
    stand_in.stop()
