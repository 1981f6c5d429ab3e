"""Commands of claims at full size, of models that see or hear, as they stand on small ones of that kind."""

import json
import wave

import numpy as np
import pytest
from PIL import Image

from rlft.policies.language.policy import Language
from rlft.recipes import cls_rl, r1_aqa, rex_thinker, vlm_r1
from tests.policies.perception.families import qwen2_audio, qwen_vl, samples
from tests.tool.claimed import exchanged
from tests.tool.test_main import tool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pages")]

SEEING = {"cls_rl": cls_rl.CLAIM.real, "rex_thinker": rex_thinker.CLAIM.real, "vlm_r1": vlm_r1.CLAIM.real}
SIZES = {"--steps": 1, "--prompts": 2, "--group": 3, "--max-new-tokens": 4, "--lr": 1e-3, "--lora": 2}
ASKED = ("--steps", "--prompts", "--group", "--max-new-tokens", "--lr")
BOXES = json.dumps([{"bbox_2d": [4, 4, 20, 20], "label": "dark"}])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A small Qwen2.5-VL and a Qwen2-Audio, and a row with a picture and one with a sound, and their answers."""
    folder = tmp_path_factory.mktemp("shown")
    Language(*qwen_vl("2.5")).save(folder / "seeing")
    Language(*qwen2_audio()).save(folder / "hearing")
    Image.fromarray(np.full((28, 40, 3), 90, dtype=np.uint8)).save(folder / "picture.png")
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(np.int16(3e4 * samples(3000, 0)).tobytes())
    row = {"prompt": "dark?", "answer": "yes", "solution": BOXES, "demonstration": "yes"}
    (folder / "seen.jsonl").write_text((json.dumps(row | {"image": "picture.png"}) + "\n") * 2)
    (folder / "heard.jsonl").write_text((json.dumps(row | {"audio": "sound.wav"}) + "\n") * 2)
    return folder


@pytest.mark.parametrize("key", SEEING)
def test_a_command_of_a_model_that_sees(key, place, tmp_path):
    given = SIZES | {"--model": place / "seeing", "--data": place / "seen.jsonl"}
    words = exchanged(SEEING[key], given, ASKED)
    assert words[0] == "train" and tool(*words, "--out", tmp_path / "run") == 0
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 1


def test_a_command_of_a_model_that_hears(place, tmp_path):
    given = SIZES | {"--model": place / "hearing", "--data": place / "heard.jsonl"}
    words = exchanged(r1_aqa.CLAIM.real, given, ASKED)
    assert words[0] == "train" and tool(*words, "--out", tmp_path / "run") == 0
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 1
