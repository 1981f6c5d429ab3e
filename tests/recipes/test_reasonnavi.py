"""The claim's command at full size, on a tiny model and a map of ROS's map_server."""

import json
import string

import numpy as np
import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.recipes.reasonnavi import CLAIM
from tests.environments.test_searching import MAP
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool


@pytest.mark.slow
@pytest.mark.usefixtures("no_pages")
def test_the_command_trains_on_a_map(tmp_path, monkeypatch):
    tokenizer = character_tokenizer(string.ascii_letters + string.digits + string.punctuation + " \n")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}?"
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=4096)
    Language(model, tokenizer).save(tmp_path / "model")
    # doors of a metre, pixels of 25 cm
    picture = np.kron(np.where(MAP, 254, 0), np.ones((4, 4))).astype(np.uint8)
    (tmp_path / "m.pgm").write_bytes(b"P5\n64 24\n255\n" + picture.tobytes())
    (tmp_path / "m.yaml").write_text("image: m.pgm\nresolution: 0.25\norigin: [0, 0, 0]\nnegate: 0\nfree_thresh: 0.2\n")
    row = {"prompt": "mug", "map": "m.yaml", "start": [1.5, 4.5], "landmarks": {"sink": [[14.5, 1.5]]}}
    rows = [{**row, "goal_at": [[x + 0.5, y + 0.5]]} for x in (11, 13) for y in (1, 4)]
    (tmp_path / "maps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    values = {"--model": "model", "--lora": 2, "--turns": 3, "--max-new-tokens": 4, "--lr": 1e-3}
    values |= {"--steps": 1, "--prompts": 2, "--group": 8}
    assert tool(*exchanged(CLAIM.real, values, ("--steps", "--prompts", "--group")), "--out", "run") == 0
    (metrics,) = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert metrics["rows/drawn"] == 16 and not metrics["rows/unscored"]
    samples = json.loads((tmp_path / "run/samples.jsonl").read_text().splitlines()[0])
    assert samples["problem"]["input"][0]["content"].startswith("You are looking for: mug.")


def test_arms_differ_in_what_they_say():
    arms = {name: dict(arm.arguments) for name, arm in CLAIM.arms.items()}
    assert arms["two"].keys() - {"steps", "compared"} == arms["grpo"].keys() == set()
    assert {name for name, told in arms.items() if told.get("steps") == 0} == {
        "frontier",
        "oracle",
        "point",
        "one",
        "two",
    }
    assert arms["longer"]["prompts"] == 128 and arms["grpo-one"] == {"staging": "one"}
