"""Every family that sees or hears: its rows are those of the model's own code on pixels, whoever is beside them."""

import pytest
import torch

from rlft.policies.language.engines.choose import LeanDecoder, Plain
from rlft.policies.language.policy import Language
from rlft.policies.perception.front import Front
from tests.policies.perception.families import FAMILIES

TOLERANCE = 5e-5
LEAN = set(FAMILIES) - {"gemma3"}


@pytest.fixture(scope="module", params=FAMILIES)
def case(request):
    build, problems = FAMILIES[request.param]
    model, processor = build()
    policy = Language(model.requires_grad_(False), processor, max_new_tokens=6)
    return request.param, policy, problems, policy.sample(problems, 2, seed=3)


def own_log_probs(policy, rows, i):
    """Row i by the model's own forward on what its tower reads, up to a symbol that the row says itself."""
    front, problem = policy.front, rows.problems[i]
    length, said = int(rows.trace["prompt_length"][i]), rows.trace["completion"][i]
    fair = rows.mask[i] & ((said == front.tower.symbol).cumsum(0) == 0)
    tokens = torch.cat([rows.trace["prompt"][i, :length], said.where(fair, 5)])[None]
    looked = front.looked(problem)
    told = {"attention_mask": torch.ones_like(tokens)}
    kinds = torch.zeros_like(tokens)
    kinds[0, :length] = (tokens[0, :length] == front.tower.symbol) & bool(looked.texts)
    for name in KINDS.get(type(policy.causal).__name__, ()):
        told[name] = kinds
    with torch.no_grad():
        logits = policy.causal(input_ids=tokens, **looked.features, **told).logits[0]
    return logits.log_softmax(-1)[length - 1 : -1].gather(1, said[:, None])[:, 0], fair


KINDS = {
    "Qwen2_5_VLForConditionalGeneration": ["mm_token_type_ids"],
    "Qwen3VLForConditionalGeneration": ["mm_token_type_ids"],
    "Gemma3ForConditionalGeneration": ["token_type_ids"],
}


def test_rows_are_those_of_the_model_itself(case):
    name, policy, _, rows = case
    assert isinstance(policy.front, Front)
    assert isinstance(policy.engine.decoder(), LeanDecoder) == (name in LEAN)
    logp = policy.log_prob(rows)
    assert (logp - rows.logp_old).abs().max() < TOLERANCE
    for i in range(len(rows)):
        own, fair = own_log_probs(policy, rows, i)
        assert (own - logp[i])[fair].abs().sum() < TOLERANCE
    assert rows.logp_old.std() > 0.3


def test_its_own_code_with_a_cache_gives_the_same(case):
    _, policy, problems, rows = case
    plain = Language(policy.causal, policy.front.processor, max_new_tokens=6, engine=Plain)
    again = plain.sample(problems, 2, seed=3)
    assert torch.equal(again.trace["completion"], rows.trace["completion"])
    assert (again.logp_old - rows.logp_old).abs().max() < TOLERANCE
    assert (plain.log_prob(rows) - rows.logp_old).abs().max() < TOLERANCE
