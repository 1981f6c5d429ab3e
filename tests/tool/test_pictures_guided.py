"""Pipelines led by a reward and mixed, by the tool; the words of the claims that say how, on small ones."""

import json

import pytest
import torch

from rlft.guidance import Predicted, svdd
from rlft.options.reward import load_reward
from rlft.policies.pipelines.drawing import Drawing
from rlft.policies.pipelines.load import load
from rlft.policies.pipelines.pictures import write
from rlft.recipes import rlg
from rlft.recipes import svdd as svdd_recipe
from rlft.types import Problem
from tests import pipelines
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

CLAIMS = {"svdd": svdd_recipe.CLAIM.real, "rlg": rlg.CLAIM.real}
SIZES = {"--height": 16, "--width": 16, "--block": 4}
DRAWING = Drawing(denoising_steps=4, height=16, width=16, block=4)
RED = """
def red(images, prompts, metadata):
    return images[:, 0].mean((1, 2))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A reward, prompts, and an adapter that has learned a little."""
    folder = tmp_path_factory.mktemp("guided")
    (folder / "reward.py").write_text(RED)
    (folder / "prompts.jsonl").write_text('{"prompt": "a red cat"}\n{"prompt": "a dog"}\n')
    torch.manual_seed(0)
    tuned = load(pipelines.folder("StableDiffusion3"), DRAWING, lora=2)
    with torch.no_grad():
        for weight in tuned.parameters():
            if weight.requires_grad:
                weight += 0.3 * torch.randn_like(weight)
    tuned.save(folder / "tuned")
    return folder


def drawn(key, place, **exchange):
    command = CLAIMS[key].replace("SCORE.py:score", f"{place}/reward.py:red").replace("TUNED", str(place / "tuned"))
    values = {"--model": exchange.pop("model"), "--denoising-steps": 4, "-n": 2, "--prompt": "a red cat"}
    words = exchanged(command, {**values, **SIZES, "--out": place / key, **exchange}, tuple(SIZES))
    assert tool(*words) == 0
    return [json.loads(line) for line in (place / key / "rows.jsonl").read_text().splitlines()]


def test_a_claim_s_words_lead_a_pipeline(place):
    """Each step is one of so many by what is foreseen of it: the pictures are those of the library's own call."""
    model = pipelines.folder("StableDiffusion")
    rows = drawn("svdd", place, model=model)
    policy = load(model, Drawing(**{**vars(DRAWING), "guidance": 7.5}))
    reward, problem = load_reward(f"{place}/reward.py:red"), Problem(0, "a red cat", task="prompt", split="sample")
    led = svdd(policy, Predicted(reward), alpha=0.01, candidates=20).sample([problem], 2, 0)
    plain = policy.sample([problem], 2, 0)
    assert led.outputs[:, 0].mean() > plain.outputs[:, 0].mean() + 0.005
    for number, row in enumerate(rows):
        write(led.outputs[number], place / "by_hand.png")
        assert (place / "svdd" / row["file"]).read_bytes() == (place / "by_hand.png").read_bytes()


def test_a_claim_s_words_mix_pipelines(place):
    """1.6 of a tuning that an adapter holds; beside it all of it, and none."""
    model = pipelines.folder("StableDiffusion3")
    drawn("rlg", place, model=model)
    words = ["--model", model, "--prompt", "a red cat", "-n", 2, "--denoising-steps", 4, "--guidance", 4.5]
    words += [word for pair in SIZES.items() for word in pair]
    assert tool("sample", *words, "--out", place / "base") == 0
    one, none = (sorted((place / name).glob("*.png")) for name in ("rlg", "base"))
    assert len(one) == len(none) == 2
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(one, none, strict=True))
    assert tool("sample", *words, "--mix", f"{place}/tuned:0", "--out", place / "nothing") == 0
    assert [p.read_bytes() for p in sorted((place / "nothing").glob("*.png"))] == [p.read_bytes() for p in none]


def test_evaluation_is_led_by_another_reward_and_says_what_it_cost(place, capsys):
    words = ["--model", pipelines.folder("StableDiffusion"), "--data", place / "prompts.jsonl", "--json"]
    words += ["--denoising-steps", 4, "--reward", f"{place}/reward.py:red", *(w for p in SIZES.items() for w in p)]
    earned = {}
    for name, more in {"plain": [], "led": ["--guide", "best_of(4)"], "by": ["--guide-reward", "brightness"]}.items():
        more = [*more, "--guide", "svdd(alpha=0.01, candidates=3)"] if name == "by" else more
        assert tool("eval", *words, *more) == 0
        earned[name] = json.loads(capsys.readouterr().out)
    assert earned["led"]["reward"] > earned["plain"]["reward"]
    assert earned["led"]["calls/reward"] == 4 and "calls/network" not in earned["plain"]
    assert earned["by"]["guide"].startswith("svdd") and earned["by"]["calls/network"] == 1 + 3 * 3


def test_what_cannot_be_led_is_said(place, capsys):
    words = ["sample", "--model", pipelines.folder("StableDiffusion"), "--prompt", "a cat", "--out", place / "none"]
    reward = ["--reward", f"{place}/reward.py:red"]
    for more, match in (
        (["--guide", "svdd(alpha=0.01)"], "needs a reward"),
        (["--guide", "svdd(alpha=0.01)", "--noise", "ode", *reward], "leave --noise out"),
        (["--mix", "nowhere"], "is not TUNED:WEIGHT"),
        (["--mix-below", "0.5"], "give --mix"),
    ):
        assert tool(*words, *more) == 2
        assert match in capsys.readouterr().err
    assert not (place / "none").exists()
