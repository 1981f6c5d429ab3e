"""A text-to-image pipeline by the tool: trained, stopped and gone on with, read by `diffusers`, evaluated, drawn."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import rlft
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.load import load
from rlft.types import Problem
from tests import pipelines
from tests.tool.test_main import tool

REWARD = """
def red(images, prompts, metadata):
    assert images.min() >= 0 and images.max() <= 1 and [row["kind"] for row in metadata] == [p[2:5] for p in prompts]
    return images[:, 0].mean((1, 2)), {"blue": images[:, 2].mean((1, 2))}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Prompts, a reward of TRL's kind, a run that was stopped and gone on with, and the same run without a stop."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = [{"prompt": "a red cat", "kind": "red"}, {"prompt": "a dog on a house", "kind": "dog"}]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "reward.py").write_text(REWARD)
    words = ["--model", pipelines.folder("StableDiffusion3"), "--data", folder / "prompts.jsonl", "--lora", 2]
    words += ["--reward", f"{folder}/reward.py:red", "--prompts", 2, "--group", 4, "--lr", 0.1, "--height", 16]
    words += ["--width", 16, "--denoising-steps", 4, "--guidance", 2.0, "--save-every", 1, "--method.beta", 0]
    words += ["--window", 2, "--window-at", "moving", "--same-start", "--eval-data", folder / "prompts.jsonl"]
    assert tool("train", *words, "--steps", 1, "--out", folder / "run") == 0
    assert tool("train", "--resume", folder / "run", "--steps", 4) == 0
    assert tool("train", *words, "--steps", 4, "--out", folder / "straight") == 0
    return folder


def test_a_run_that_was_stopped_is_the_straight_run(place):
    """To the last bit, with a window that moves on from where it was; the reward that a user wrote rises."""
    name = "model/pytorch_lora_weights.safetensors"
    one, other = (load_file(place / run / name) for run in ("run", "straight"))
    assert len(one) == 30 and one.keys() == other.keys()
    assert all(torch.equal(one[weight], other[weight]) for weight in one)
    lines = [json.loads(line) for line in (place / "straight" / "evaluations.jsonl").read_text().splitlines()]
    assert lines[-1]["reward"] > lines[0]["reward"] + 0.002
    assert "reward/blue" in lines[-1]
    metrics = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == [1, 2, 3, 4]
    assert all(line["ratio/first"] == 0 and line["length"] == 2 for line in metrics)


def test_what_was_trained_is_what_diffusers_draws_and_the_tool(place, capsys):
    from diffusers import DiffusionPipeline
    from PIL import Image

    assert tool("sample", "--model", place / "run", "--prompt", "a red cat", "-n", 2, "--out", place / "drawn") == 0
    assert "as it was trained: --denoising-steps 4 --guidance 2.0 --height 16" in capsys.readouterr().err
    files = [place / "drawn" / f"0000{number}.png" for number in range(2)]
    policy = load(pipelines.folder("StableDiffusion3"), Drawing(denoising_steps=4, guidance=2.0, height=16, width=16))
    problem = Problem(0, "a red cat", task="prompt", split="sample")
    start = policy.deployed().sample([problem], 2, seed=0).trace["states"][:, 0]
    pipe = DiffusionPipeline.from_pretrained(pipelines.folder("StableDiffusion3"))
    pipe.load_lora_weights(place / "run" / "model")
    told = {"num_inference_steps": 4, "guidance_scale": 2.0, "height": 16, "width": 16, "output_type": "pil"}
    for row, file in enumerate(files):
        theirs = pipe("a red cat", latents=start[row : row + 1].clone(), **told).images[0]
        ours = np.asarray(Image.open(file)).astype(int)
        assert np.abs(ours - np.asarray(theirs).astype(int)).max() <= 1 and ours.std() > 10


def test_evaluation_keeps_pictures_and_says_what_they_earn(place, capsys):
    words = ["--model", place / "run", "--data", place / "prompts.jsonl", "--reward", f"{place}/reward.py:red"]
    assert tool("eval", *words, "--samples", 2, "--json", "--out", place / "rated") == 0
    found = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for line in (place / "rated" / "rows.jsonl").read_text().splitlines()]
    assert [row["file"] for row in rows] == [f"0000{number}.png" for number in range(4)]
    assert all((place / "rated" / row["file"]).is_file() for row in rows)
    assert found["reward"] == pytest.approx(np.mean([row["reward"] for row in rows]))
    last = json.loads((place / "run" / "evaluations.jsonl").read_text().splitlines()[-1])
    assert np.mean([row["reward"] for row in rows[::2]]) == pytest.approx(last["reward"], abs=1e-6)
    assert tool("eval", *words, "--out", place / "rated") == 2
    assert "exists already" in capsys.readouterr().err


def test_the_page_shows_held_out_pictures_before_and_after(place):
    """The same prompt from the same noise at step 0 and at the end, beside each other."""
    samples = [json.loads(line) for line in (place / "run" / "samples.jsonl").read_text().splitlines()]
    held_out = [s for s in samples if s["step"] in (0, 4) and len(s["rows"]) == 1]
    assert (held_out[0]["step"], held_out[0]["problem"]["input"]) == (0, "a red cat")
    assert {s["step"] for s in held_out} == {0, 4}
    page = (place / "run" / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') >= 8


def test_python_loads_a_run(place):
    policy = rlft.load(place / "run")
    assert (policy.steps, policy.family.guidance, policy.shape) == (4, 2.0, (4, 16, 16))
    assert policy.origin.lora == 2


def test_a_card_says_how_it_is_loaded(place):
    card = (place / "run" / "model" / "README.md").read_text()
    assert 'library_name: "diffusers"' in card and 'pipeline_tag: "text-to-image"' in card
    assert "pipe.load_lora_weights" in card


def test_a_pipeline_that_cannot_be_trained_is_said(tmp_path, capsys):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "PixArtSigmaPipeline"}))
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "a cat"}\n')
    words = ["--model", tmp_path, "--data", tmp_path / "prompts.jsonl", "--reward", "brightness"]
    assert tool("train", *words, "--out", tmp_path / "run") == 2
    assert "PixArtSigmaPipeline is not one of the pipelines" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_a_prompt_nothing_is_drawn(place, capsys):
    assert tool("sample", "--model", place / "run", "--prompt", "  ", "--out", place / "none") == 2
    assert "is asked with a text" in capsys.readouterr().err
    assert not (place / "none").exists() and torch.get_num_threads() == 1
