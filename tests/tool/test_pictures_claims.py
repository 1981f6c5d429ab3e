"""Commands of claims at full size, of methods of likelihoods, on a small pipeline of the kind that they name."""

import json

import pytest

from rlft.recipes import loop, prdp
from tests import pipelines
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

REWARD = """
def score(images, prompts, metadata):
    return images[:, 0].mean((1, 2))
"""
CLAIMS = {"loop": loop.CLAIM.real, "prdp": prdp.CLAIM.real}
SMALL = {"--denoising-steps": 3, "--prompts": 2, "--group": 4, "--lora": 2, "--lr": 0.05, "--steps": 2}


@pytest.mark.parametrize("key", CLAIMS)
def test_a_claim_s_words_train_a_pipeline(key, tmp_path):
    """As they stand, but for the model, the files and the sizes; ratios are 1 and the weights move."""
    rows = [{"prompt": "a red cat"}, {"prompt": "a dog on a house"}]
    (tmp_path / "PROMPTS.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "SCORE.py").write_text(REWARD)
    given = {"--model": pipelines.folder("StableDiffusion"), "--reward": f"{tmp_path}/SCORE.py:score"}
    given |= {"--data": tmp_path / "PROMPTS.jsonl", "--height": 16, "--width": 16, "--block": 2}
    words = exchanged(CLAIMS[key], SMALL | given, ("--height", "--width", "--block"))
    assert words[0] == "train" and tool(*words, "--out", tmp_path / "run") == 0
    metrics = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == [1, 2]
    assert all(line["grad_norm"] > 0 and line.get("ratio/first", 0) == 0 for line in metrics)
    assert json.loads((tmp_path / "run/run.json").read_text())["command"]
