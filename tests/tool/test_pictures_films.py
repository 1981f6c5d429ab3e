"""A text-to-video pipeline by the tool: trained by a reward of its films, sampled as mp4, read by `diffusers`."""

import json

import numpy as np
import pytest

from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.load import load
from rlft.tasks.films import film_of
from rlft.types import Problem
from tests import pipelines
from tests.tool.test_main import tool

pytestmark = pytest.mark.slow

REWARD = """
def moving(images, prompts, metadata):
    assert images.shape[1:] == (5, 3, 32, 32) and 0 <= images.min() and images.max() <= 1
    return (images[:, -1] - images[:, 0]).abs().flatten(1).mean(1)
"""
SIZES = ["--height", 32, "--width", 32, "--num-frames", 5, "--denoising-steps", 3, "--guidance", 2.0]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of two steps of a small Wan."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "prompts.jsonl").write_text('{"prompt": "a red cat"}\n{"prompt": "a dog on a house"}\n')
    (folder / "reward.py").write_text(REWARD)
    words = ["--model", pipelines.folder("Wan"), "--data", folder / "prompts.jsonl", *SIZES]
    words += ["--reward", f"{folder}/reward.py:moving", "compressibility", "--lora", 2, "--prompts", 1, "--group", 2]
    assert tool("train", *words, "--steps", 1, "--method.beta", 0, "--out", folder / "run") == 0
    assert tool("train", "--resume", folder / "run", "--steps", 2) == 0
    return folder


def test_it_is_trained_and_its_frames_are_on_the_page(place):
    log = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["ratio/first"] for line in log] == [0, 0]
    rows = [
        row for line in (place / "run" / "samples.jsonl").read_text().splitlines() for row in json.loads(line)["rows"]
    ]
    assert 'pipeline_tag: "text-to-video"' in (place / "run" / "model" / "README.md").read_text()
    assert rows and all(row["kind"] == "image" and row["size"] == [128, 32] for row in rows)


def test_a_sample_is_an_mp4_of_what_the_policy_draws(place, capsys):
    pytest.importorskip("av", reason="films are written by PyAV: pip install 'rlft[video]'")
    assert tool("sample", "--model", place / "run", "--prompt", "a red cat", "--out", place / "drawn", "--json") == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["size"], line["frames"], line["rate"]) == ([32, 32], 5, 16.0)
    film = film_of(line["file"])
    drawing = Drawing(denoising_steps=3, guidance=2.0, height=32, width=32, num_frames=5)
    policy = load(place / "run" / "model", drawing)
    found = policy.deployed().sample([Problem(0, "a red cat", task="prompt", split="sample")], 1, seed=0).outputs[0]
    frames = np.stack(film.pictures(range(5))).astype(float)
    expected = (found.movedim(0, -1).numpy() + 1) * 127.5
    assert film.count == 5 and np.abs(frames.mean((1, 2)) - expected.mean((1, 2))).max() < 6  # colours at half the size
    assert tool("sample", "--model", place / "run", "--prompt", "a", "--num-frames", 6, "--out", place / "no") == 2
    assert "a film of 6 frames: WanPipeline draws 1 and a multiple of 4" in capsys.readouterr().err
