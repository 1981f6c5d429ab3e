"""A reward's gradient by the tool, on the pipeline and with the words of Kandinsky 5's claim; and a soup."""

import json
import shlex

import pytest
import torch
from safetensors.torch import load_file

from rlft.options.arguments import parse
from rlft.recipes.kandinsky5 import CLAIM
from rlft.recipes.pictures import pictures
from tests import pipelines
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

REWARD = """
import torch
from rlft.rewards.learned.pairwise import preferred
from rlft.models.pair_judge import PairJudge

class Near(torch.nn.Module):
    # prefers what is red; in both orders what is common falls out
    def forward(self, first, second, asked):
        return 10 * first[:, 0].mean((1, 2))

def real(problems):
    return torch.stack([torch.full((3, 8, 8), float(p.columns["grey"])) for p in problems])

def preferred_to_real(problems, outputs):
    told = lambda problems: torch.zeros(len(problems))
    return preferred(PairJudge(Near()), over=real, asked=told)(problems, outputs)

def plain(images, prompts, metadata):
    return images[:, 0].mean((1, 2)).tolist()

def theirs(images, prompts, metadata):
    return images[:, 0].mean((1, 2)), {"blue": images[:, 2].mean((1, 2))}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradient")
    rows = [{"prompt": "a red cat", "grey": -0.01}, {"prompt": "a dog on a house", "grey": 0.01}]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "JUDGE.py").write_text(REWARD)
    return folder


def small(place, reward="preferred_to_real"):
    """The claim's words, but for the model and its size."""
    words = shlex.split(CLAIM.real)
    assert words[:2] == ["rlft", "train"]
    given = dict(zip(words[2::2], words[3::2], strict=False))
    assert parse(pictures, words[2:], "rlft train")["method"].settings["last"] == 10
    words = [place / "prompts.jsonl" if w == "PROMPTS.jsonl" else w for w in words[2:]]
    words = [f"{place}/JUDGE.py:{reward}" if w == given["--reward"] else w for w in words]
    words[words.index(given["--model"])] = pipelines.folder("Kandinsky5")
    less = {"--denoising-steps": 2, "--prompts": 2, "--lora": 2, "--lr": 0.02, "--steps": 8, "--method.last": 2}
    for name, value in less.items():
        words[words.index(name) + 1] = value
    return [*words, "--height", 32, "--width", 32, "--block", 2, "--guidance", 1.0]


def test_the_claim_s_words_raise_a_reward_that_sees_another_picture(place):
    assert tool("train", *small(place), "--eval-data", place / "prompts.jsonl", "--out", place / "run") == 0
    before, after = (json.loads(x) for x in (place / "run/evaluations.jsonl").read_text().splitlines())
    assert 0 < before["reward"] < after["reward"] - 0.001 < 1
    metrics = [json.loads(line) for line in (place / "run/metrics.jsonl").read_text().splitlines()]
    assert metrics[0]["anchor"] == 0 < metrics[-1]["anchor"] and metrics[0]["redrawn/first"] <= 1e-6
    assert "kl" not in metrics[0]
    trained = load_file(place / "run/model/pytorch_lora_weights.safetensors")
    assert any(bool(value.any()) for name, value in trained.items() if "lora_B" in name)


def test_a_reward_without_a_gradient_and_another_library_s(place, capsys):
    assert tool("train", *small(place, "plain"), "--out", place / "none") == 2
    assert "the reward has no gradient, and the method learns from nothing else" in capsys.readouterr().err
    assert tool("train", *small(place, "theirs"), "--steps", 1, "--out", place / "theirs") == 0
    line = json.loads((place / "theirs/metrics.jsonl").read_text().splitlines()[0])
    assert line["grad_norm"] > 0 and "reward/blue" in line


def test_a_soup_of_a_pipeline_with_itself_is_the_pipeline(place, capsys):
    folder = pipelines.folder("Kandinsky5")
    assert tool("soup", folder, folder, "--out", place / "soup") == 0
    files = sorted(file.relative_to(folder) for file in folder.rglob("*.*") if file.is_file())
    assert sorted(file.relative_to(place / "soup") for file in (place / "soup").rglob("*.*") if file.is_file()) == files
    one, other = (load_file(at / "transformer/diffusion_pytorch_model.safetensors") for at in (folder, place / "soup"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert tool("soup", place / "run", place / "run", "--out", place / "no") == 2
    assert "holds an adapter" in capsys.readouterr().err
    assert tool("soup", place / "nowhere", folder, "--out", place / "no") == 2
    assert "nowhere is no folder" in capsys.readouterr().err and not (place / "no").exists()
