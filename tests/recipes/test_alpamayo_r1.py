"""That every arm spends alike, and the command at full size on a small model with a grader on loopback."""

import json

import numpy as np
import pytest
from PIL import Image

from rlft.policies.language.policy import Language
from rlft.recipes.alpamayo_r1 import CLAIM, GROUP, PROMPTS, STEPS
from tests.policies.perception.families import qwen_vl
from tests.rewards.judging.stand_in import StandIn
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool


def test_arms_draw_as_many_rows():
    for name, arm in CLAIM.arms.items():
        told = arm.arguments
        assert told.get("prompts", PROMPTS) * told.get("group", GROUP) == PROMPTS * GROUP, name
        assert told.get("steps", STEPS) == (0 if name == "sft" else STEPS)


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_the_command_at_full_size(tmp_path):
    Language(*qwen_vl("2.5")).save(tmp_path / "model")
    Image.fromarray(np.full((28, 40, 3), 90, dtype=np.uint8)).save(tmp_path / "road.png")
    row = {"prompt": "dark?", "image": "road.png", "speed": 5.0, "expert": [[0.5, 0.0], [1.0, 0.0]]}
    row |= {"obstacles": [[30.0, 0.0]], "cause": "none", "intent": "keep, straight"}
    (tmp_path / "scenes.jsonl").write_text((json.dumps(row) + "\n") * 2)
    (tmp_path / "rubric.txt").write_text("{cause} and {intent}: grade {completion}, Score: 0 to 5")
    grader = StandIn(lambda text, times: f"Score: {len(text) % 6}")
    sizes = {"--steps": 1, "--prompts": 2, "--group": 3, "--max-new-tokens": 4, "--lr": 1e-3}
    given = sizes | {"--model": tmp_path / "model", "--data": tmp_path / "scenes.jsonl"}
    command = CLAIM.real.replace("http://127.0.0.1:8000/v1", grader.url).replace("rubric.txt", f"{tmp_path}/rubric.txt")
    words = exchanged(command, given, ("--steps", "--prompts"))
    assert words[0] == "train" and tool(*words, "--out", tmp_path / "run") == 0
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    found = json.loads(line)
    parts = {name.partition("(")[0] + name.rpartition(")")[2]: value for name, value in found.items()}
    assert found["step"] == 1 and parts["reward/agreement"] == 0 and sum(grader.asked.values()) > 0
    assert parts["reward/trajectory/collision"] == pytest.approx(-0.8)
    grader.stop()
