"""Small models that see or hear: builders repeat themselves, and rows are scored as the models themselves would."""

import numpy as np
import pytest
import torch

from rlft.models.seeing import hearing, seeing
from rlft.policies.language.engines.choose import LeanDecoder, Plain
from rlft.policies.language.policy import Language
from rlft.types import Problem

LETTERS = "abcdefghij "


def strong(model):
    """Weights so large that a wrong mask or position shows."""
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15, generator=torch.Generator().manual_seed(weight.numel()))
    return model


def picture(width, height, seed):
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def noise(samples, seed):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def asked(index, text, **shown):
    """A problem whose message shows these, and then says a text."""
    parts = [{"type": kind, kind: one} for kind, several in shown.items() for one in several]
    return Problem(index, [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}])


PICTURES = [
    asked(0, "abc", image=[picture(32, 32, 0)]),
    asked(1, "abc", image=[picture(32, 32, 1)]),  # the same tokens, another picture
    asked(2, "a", image=[picture(20, 50, 2), picture(64, 32, 3)]),
    asked(3, "dead"),
]
SOUNDS = [
    asked(0, "abc", audio=[noise(9000, 0)]),
    asked(1, "abc", audio=[noise(9000, 1)]),
    asked(2, "a", audio=[noise(3000, 2), noise(12000, 3)]),
    asked(3, "dead"),
]


def own_inputs(processor, problem):
    """What the model's own processor makes of what a problem shows."""
    shown = [part for part in problem.input[0]["content"] if part["type"] != "text"]
    if not shown:
        return {}
    if "image" in shown[0]:
        made = processor(text=["<image>" * len(shown)], images=[part["image"] for part in shown], return_tensors="pt")
        return {"pixel_values": made["pixel_values"]}
    sounds = [part["audio"] for part in shown]
    made = processor(text=["<sound>" * len(shown)], audio=sounds, sampling_rate=16000, return_tensors="pt")
    return {name: made[name] for name in ("input_features", "feature_attention_mask")}


@pytest.fixture(scope="module", params=["pictures", "sounds"])
def case(request):
    build, problems = {"pictures": (seeing, PICTURES), "sounds": (hearing, SOUNDS)}[request.param]
    model, processor = build(LETTERS, width=32, layers=2, tower_width=32)
    return strong(model), processor, problems


@pytest.mark.parametrize("engine", [None, Plain])
def test_rows_are_scored_as_the_model_itself_would(case, engine):
    model, processor, problems = case
    policy = Language(model, processor, max_new_tokens=6, engine=engine)
    rows = policy.sample(problems, 2, seed=3)
    assert policy.front.tower.runs == 3  # once a problem: no trial of an engine runs it
    assert engine or isinstance(policy.engine.decoder(), LeanDecoder)
    logp = policy.log_prob(rows)
    assert (logp - rows.logp_old).abs().max() < 2e-5
    symbol = policy.front.tower.symbol
    for i in range(0, len(rows), 2):
        length, said = int(rows.trace["prompt_length"][i]), rows.trace["completion"][i]
        # A symbol that a row says itself the model's own code would take for another picture.
        fair = rows.mask[i] & ((said == symbol).cumsum(0) == 0)
        tokens = torch.cat([rows.trace["prompt"][i, :length], said.where(fair, 3)])[None]
        with torch.no_grad():
            given = own_inputs(processor, problems[i // 2])
            logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), **given).logits[0]
        own = logits.log_softmax(-1)[length - 1 : -1].gather(1, said[:, None])[:, 0]
        assert (own - logp[i])[fair].abs().sum() < 2e-5
    assert (rows.logp_old[0] - rows.logp_old[2]).abs().max() > 0.01  # other pictures are other rows


def test_a_builder_repeats_itself_and_draws_nothing():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for build in (seeing, hearing):
        one, two = (build(LETTERS, width=32, layers=1, tower_width=16)[0].state_dict() for _ in range(2))
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


def test_sixteen_tokens_a_picture_and_twenty_five_a_second():
    model, processor = seeing(LETTERS)
    prompt = Language(model, processor).prompt(PICTURES[0], 8)
    assert prompt == [1, *[14] * 16, 3, 4, 5]
    model, processor = hearing(LETTERS)
    prompt = Language(model, processor).prompt(asked(0, "abc", audio=[noise(16000, 0)]), 8)
    assert prompt == [1, *[14] * 25, 3, 4, 5]
