"""`rlft train` and `rlft eval` on films of a data file, with a real class of models."""

import json

import pytest

from rlft.policies.language.policy import Language
from tests.policies.perception.families import qwen_vl
from tests.tasks.test_films import written
from tests.tool.test_main import tool


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    Language(*qwen_vl("2.5")).save(folder / "model")
    written(folder)
    rows = [{"prompt": "bright?", "video": name, "answer": "yes"} for name in ("film.mp4", "frames", "film.npy")]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_films_train_and_are_evaluated(place, capsys):
    """An mp4, a folder and an array; two frames of each, and three when it is evaluated."""
    told = ("--data", place / "data.jsonl", "--reward", "length(unit='characters', target=4)", "--max-new-tokens", 3)
    train = ("train", "--model", place / "model", *told, "--frames", 2, "--prompts", 3, "--group", 4, "--lora", 2)
    assert tool(*train, "--steps", 1, "--out", place / "run") == 0
    (line,) = [json.loads(line) for line in (place / "run/metrics.jsonl").read_text().splitlines()]
    assert line["ratio/first"] <= 5e-5 and line["updates"] == 1
    capsys.readouterr()
    assert tool("eval", "--model", place / "model", *told, "--frames", 3, "--json") == 0
    assert 0 <= json.loads(capsys.readouterr().out)["reward"] <= 1
    again = ("--guide", "sparse_to_dense(frames=2, most=4)", "--json")
    assert tool("eval", "--model", place / "model", *told, *again) == 0
    found = json.loads(capsys.readouterr().out)
    assert 1 <= found["looks"] <= 2 and 10 <= found["frames"] <= 30 and found["frames"] == 5 * found["frames/encoded"]
