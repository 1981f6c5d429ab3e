"""The tool's commands on models that see or hear, from ten pictures on disk to a folder that others load."""

import json
import re
import wave

import numpy as np
import pytest
import torch
from PIL import Image

from rlft.policies.language.policy import Language
from tests.policies.perception.families import llava, qwen2_audio, samples
from tests.tool.test_main import tool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A LLaVA, ten pictures, rows that name them, and a run of GRPO with adapters that was stopped and resumed."""
    folder = tmp_path_factory.mktemp("seeing")
    Language(*llava()).save(folder / "model")
    (folder / "pictures").mkdir()
    rows = []
    for i in range(10):
        shade = np.full((24 + i, 40, 3), 25 * i, dtype=np.uint8)
        Image.fromarray(shade).save(folder / "pictures" / f"{i}.png")
        parts = [{"type": "image", "image": f"pictures/{i}.png"}, {"type": "text", "text": "dark?"}]
        rows.append({"prompt": [{"role": "user", "content": parts}], "answer": "yes", "boxes": [[4, 4, 20, 20]]})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "reward.py").write_text("def short(problems, outputs):\n    return [-float(len(o)) for o in outputs]\n")
    words = ["--model", folder / "model", "--data", folder / "rows.jsonl", "--reward", f"{folder}/reward.py:short"]
    words += ["--lora", 2, "--max-new-tokens", 5, "--prompts", 4, "--group", 4, "--lr", 1e-2]
    assert tool("train", *words, "--steps", 4, "--out", folder / "straight") == 0
    assert tool("train", *words, "--steps", 2, "--out", folder / "run") == 0
    assert tool("train", "--resume", folder / "run", "--steps", 4) == 0
    return folder


def test_a_resumed_run_is_the_straight_one(place):
    one, two = (Language.load(place / run / "model").state_dict() for run in ("straight", "run"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any("lora_B" in name and one[name].any() for name in one)


def test_it_is_evaluated_and_sampled(place, capsys):
    words = ["--data", place / "rows.jsonl", "--reward", f"{place}/reward.py:short", "--out", place / "out.jsonl"]
    assert tool("eval", "--model", place / "run", *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["problems"] == 10
    row = json.loads((place / "out.jsonl").read_text().splitlines()[0])
    assert row["prompt"][0]["content"][0] == {"type": "image"}
    shown = ["--image", place / "pictures" / "0.png", "--image", place / "pictures" / "9.png"]
    said = []
    for more in (shown, shown[:2], []):
        assert tool("sample", "--model", place / "run", "--prompt", "dark?", "--chat", "--json", *more) == 0
        said.append(json.loads(capsys.readouterr().out)["logp"])
    assert len(set(said)) == 3
    assert tool("sample", "--model", place / "run", "--prompt", "dark?", "--audio", place / "no.wav") == 2
    assert "is shown image" in capsys.readouterr().err


def test_plain_transformers_load_it(place):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    assert tool("merge", place / "run", place / "whole") == 0
    ours = Language.load(place / "run" / "model", max_new_tokens=5)
    image = Image.open(place / "pictures" / "3.png")
    message = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": "dark?"}]}]
    told = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"}
    for folder in ("run/model", "whole"):
        processor = AutoProcessor.from_pretrained(place / folder)
        model = AutoModelForImageTextToText.from_pretrained(place / folder)
        given = processor.apply_chat_template(message, **told)
        with torch.no_grad():
            theirs = model(**given).logits[0, -1].log_softmax(-1)
            own = ours.causal(**given).logits[0, -1].log_softmax(-1)
        assert (theirs - own).abs().max() < 1e-4


def test_the_page_shows_the_pictures_with_their_boxes(place):
    page = (place / "run" / "report.html").read_text()
    assert page.count('<svg class="seen"') >= 2
    assert re.search(r'<image href="data:image/png;base64,[^"]+"[^>]*/><rect ', page)
    assert (place / "run" / "samples.jsonl").stat().st_size < 20_000


def test_sounds_in_a_table_of_columns(tmp_path, capsys):
    import pyarrow
    import pyarrow.parquet

    Language(*qwen2_audio()).save(tmp_path / "model")
    with wave.open(str(tmp_path / "s.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.int16(3e4 * samples(3000, 0)).tobytes())
    sound = {"bytes": (tmp_path / "s.wav").read_bytes(), "path": None}
    rows = [{"prompt": "what?", "audio": {"bytes": None, "path": "s.wav"}}, {"prompt": "who?", "audio": sound}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    words = ["--data", tmp_path / "rows.parquet", "--max-new-tokens", 4, "--reward", "length(target=2, unit='tokens')"]
    train = ["--model", tmp_path / "model", "--out", tmp_path / "run", "--prompts", 2, "--group", 2]
    assert tool("train", *train, *words, "--steps", 1) == 0
    assert '<img class="seen" alt="spectrogram, 0.38 s"' in (tmp_path / "run" / "report.html").read_text()
    capsys.readouterr()
    assert tool("sample", "--model", tmp_path / "run", "--prompt", "what?", "--audio", tmp_path / "s.wav") == 0
    assert "tokens, " in capsys.readouterr().out
