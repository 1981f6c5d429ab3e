"""What is read off a run, by hand; what every arm spends; and the command at full size, run small beside a judge."""

import json
import math
import shlex

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.arguments import parse
from rlft.policies.language.policy import Language
from rlft.recipes.cyclealign import CLAIM, by_round
from rlft.recipes.train import train
from tests.rewards.judging.stand_in import StandIn
from tests.rewards.judging.test_ranking import by_length
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool


def test_by_round():
    """Of five steps a quarter is one; before anything is shown there is no share that is right."""
    tau, right = [0.3, 0.5, 0.4, 0.5, 0.2], [math.nan, 0.7, 0.8, 0.9, 0.6]
    metrics = [{"measure/tau": a, "measure/right": b, "ranked/agreed": 0.5} for a, b in zip(tau, right, strict=True)]
    found = by_round(metrics, [{"reward": 0.1}, {"reward": 0.4}, {"reward": 0.9}])
    expected = {"tau/first": 0.3, "tau/gain": 0.1, "tau/late": 0.2, "right/early": 0.7, "right/late": 0.6}
    assert found == pytest.approx({**expected, "agreed": 0.5, "half": 0.4, "tipped": 0.0})
    none = by_round([], [{"reward": 0.3}])
    assert none.pop("half") == 0.3 and none.pop("tipped") == 0
    assert by_round([], [{"reward": 0.3}, {"reward": 0.2}])["tipped"] == 1
    assert all(math.isnan(value) for value in none.values()) and "tau/gain" not in none


def test_arms_ask_the_judge_as_often():
    for name, arm in CLAIM.arms.items():
        assert not {"prompts", "group"} & set(arm.arguments), name
        assert arm.arguments.get("steps", 40) == (0 if name == "base" else 40)


def test_the_command_at_full_size():
    words = shlex.split(CLAIM.real)
    given = parse(train, words[2:], "rlft train")
    assert words[:2] == ["rlft", "train"] and given["method"].name == "cyclealign"
    assert given["method"].settings["least"] <= given["learning"].group


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A chat model of one layer, questions without answers, a static demonstration."""
    folder = tmp_path_factory.mktemp("cycled")
    tokenizer = character_tokenizer("abcdefghsay ?")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}?"
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=24)
    Language(model, tokenizer).save(folder / "model")
    (folder / "data.jsonl").write_text("".join(json.dumps({"prompt": f"say {c}"}) + "\n" for c in "abcdefgh"))
    (folder / "static.jsonl").write_text(json.dumps({"prompt": "how?", "answers": ["so", "no"]}) + "\n")
    return folder


def run(place, server, out, *more):
    """Three steps of the claim's words, with its files and sizes exchanged."""
    command = CLAIM.real.replace("http://127.0.0.1:8000/v1", server.url).replace("STATIC", str(place / "static"))
    command = command.replace("cache='ranked.jsonl'", f"cache='{out}.jsonl', patience=0.1")
    values = {"--model": place / "model", "--data": place / "data.jsonl", "--steps": 3, "--prompts": 2, "--lora": 2}
    values |= {"--max-new-tokens": 6, "--lr": 1e-2, "--group": 4}
    return tool(*exchanged(command, values), "--out", out, *more)


def learned(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["reward"], line["loss"], line["ranked/shown"], line["ranked/agreed"]) for line in lines]


@pytest.mark.usefixtures("no_pages")
def test_the_command_trains_shows_what_is_agreed_on_and_goes_on(place, tmp_path):
    server = StandIn(by_length)
    assert run(place, server, tmp_path / "straight", "--save-every", 1) == 0
    asked = [body["messages"][0]["content"] for body, *_ in server.bodies]
    assert len(asked) == 6 and all("how?" in text for text in asked)
    steps = learned(tmp_path / "straight")
    # nothing but what is static at first, then what both agreed on, as often as it is counted
    assert steps[0][3] == 0 and steps[2][3] > 0
    assert sorted(text.count("Question: ") - 2 for text in asked) == sorted(int(step[3]) for step in steps * 2)
    # what was shown is a part of the state: stopped after a step, it asks the same again
    again = StandIn(by_length, dies_at=4)
    assert run(place, again, tmp_path / "stopped", "--save-every", 1) == 3
    again.dies_at = None
    assert tool("train", "--resume", tmp_path / "stopped") == 0
    assert learned(tmp_path / "stopped") == steps
    weights = [next((tmp_path / name / "model").glob("*.safetensors")).read_bytes() for name in ("straight", "stopped")]
    assert weights[0] == weights[1]
    server.stop()
    again.stop()
