"""A processor in parts where the whole asks for torchvision: the same tokens, and a folder that is whole again."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as T

from rlft.policies.language.policy import Language
from rlft.policies.perception.apart import Apart, processor_at
from rlft.policies.perception.media import shown_in
from rlft.types import UserError
from tests.policies.perception.families import FAMILIES

WHOLE = {
    "qwen2.5-vl": ("Qwen2_5_VLProcessor", {"image_token": "<|image_pad|>"}),
    "qwen3-vl": ("Qwen3VLProcessor", {"image_token": "<|image_pad|>"}),
    "smolvlm": (
        "SmolVLMProcessor",
        {
            "image_token": "<image>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "image_seq_len": 4,
        },
    ),
    "internvl": (
        "InternVLProcessor",
        {
            "image_token": "<IMG_CONTEXT>",
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "image_seq_length": 4,
        },
    ),
}


@pytest.mark.parametrize("name", ["llava", "idefics3", "gemma3", "qwen2-audio", "flamingo"])
def test_prompts_are_those_of_the_whole_processor(name):
    build, problems = FAMILIES[name]
    model, processor = build()
    policy = Language(model, processor, max_new_tokens=4)
    for problem in problems:
        held = [one.held for one in shown_in(problem)]
        if name == "flamingo" and len(held) > 1:
            continue  # its own processor reads one sound a prompt
        text = processor.apply_chat_template(problem.input, add_generation_prompt=True)
        kind = policy.front.kind
        told = {f"{kind}s" if kind == "image" else kind: held} if held else {}
        told |= {"sampling_rate": 16000} if held and kind == "audio" else {}
        own = processor(text=[text], add_special_tokens=False, return_tensors="pt", **told)
        assert policy.prompt(problem, 4) == own["input_ids"][0].tolist()
        for feature, values in policy.front.looked(problem).features.items():
            assert np.abs(values.double().numpy() - np.asarray(own[feature], dtype=np.float64)).max() < 1e-6


@pytest.mark.parametrize("name", WHOLE)
def test_what_stands_for_a_picture_is_what_the_whole_would_write(name):
    build, problems = FAMILIES[name]
    model, processor = build()
    front = Language(model, processor).front
    kind, attributes = WHOLE[name]
    replace = getattr(getattr(T, kind), "replace_image_token", None)
    if replace is None:
        pytest.skip("this version of transformers expands elsewhere")
    itself = SimpleNamespace(image_processor=processor.image_processor, **attributes)
    for problem in problems:
        shown = shown_in(problem)
        told = {"return_row_col_info": True} if name == "smolvlm" else {}
        told |= {"crop_to_patches": True} if name == "internvl" else {}
        images = [[one.held for one in shown]] if name == "smolvlm" else [one.held for one in shown]
        if shown:
            made = processor.image_processor(images=images, return_tensors="pt", **told)
            assert front.looked(problem).texts == [replace(itself, made, i) for i in range(len(shown))]


@pytest.mark.parametrize("name", ["qwen2.5-vl", "llava", "qwen2-audio"])
def test_a_saved_folder_is_loaded_as_it_was(name, tmp_path):
    build, problems = FAMILIES[name]
    model, processor = build()
    policy = Language(model, processor, max_new_tokens=4)
    rows = policy.sample(problems, 2, seed=0)
    policy.save(tmp_path / "one")
    if isinstance(processor, Apart):
        (tmp_path / "one" / "processor_config.json").write_text(json.dumps({"processor_class": "Qwen2_5_VLProcessor"}))
    loaded = Language.load(tmp_path / "one", max_new_tokens=4)
    assert type(loaded.causal) is type(model) and type(loaded.front.processor) is type(processor)
    assert (loaded.log_prob(rows) - rows.logp_old).abs().max() < 5e-5
    tower, between = loaded.front.parts(loaded.causal)
    assert not any(p.requires_grad for part in (tower, *between) for p in part.parameters())
    loaded.save(tmp_path / "two")
    kept = {file.name for file in (tmp_path / "one").iterdir()}
    assert kept == {file.name for file in (tmp_path / "two").iterdir()}
    kind = T.AutoModelForMultimodalLM if name == "qwen2-audio" else T.AutoModelForImageTextToText
    plain = kind.from_pretrained(tmp_path / "two")
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), model.state_dict().values(), strict=True))
    trained = Language.load(tmp_path / "one", tower="trained")
    assert all(p.requires_grad for p in trained.front.parts(trained.causal)[1][:1] for p in p.parameters())


def test_a_processor_that_is_not_there_says_so(tmp_path):
    with pytest.raises(UserError, match="cannot load the processor"):
        processor_at(str(tmp_path), None, False)
