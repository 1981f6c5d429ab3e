"""All rows of a small language policy: complete, and the same rows that it draws."""

import pytest
import torch
from torch.testing import assert_close

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.enumeration import every_row, log_probs_of_rows
from rlft.policies.language.policy import Language
from rlft.types import Problem, UserError

PROMPT = Problem(3, "ab")


def build(dtype=torch.float64, **told) -> Language:
    tokenizer = character_tokenizer("abc")
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=16, seed=1).to(dtype)
    with torch.no_grad():
        model.lm_head.weight.mul_(30)
    return Language(model, tokenizer, **{"max_new_tokens": 3, **told})


@pytest.mark.parametrize(("ends", "count"), [([2], 1 + 5 + 25 + 125), ([2, 4], 2 + 2 * 4 + 2 * 16 + 64)])
def test_probabilities_add_up_to_one(ends, count):
    """6 tokens, E of which end a row: sum over d < 3 of E (6-E)^d, and (6-E)^3 that are cut off."""
    policy = build()
    policy.causal.generation_config.eos_token_id = ends
    rows = every_row(policy, PROMPT)
    assert len(rows) == rows.group == count
    assert len({tuple(text.tokens) for text in rows.outputs}) == count
    assert_close(rows.logp_old.sum(1).exp().sum().item(), 1.0, atol=1e-12, rtol=0)
    assert rows.logp_old.sum(1).std() > 0.5
    # without the rows that are cut off it would not be
    cut = torch.tensor([text.truncated for text in rows.outputs])
    assert cut.sum() == (6 - len(ends)) ** 3
    assert rows.logp_old.sum(1)[~cut].exp().sum() < 0.95


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_what_is_drawn_is_in_the_list(temperature):
    policy = build(temperature=temperature)
    rows, drawn = every_row(policy, PROMPT), policy.sample([PROMPT], 64, seed=0)
    place = {text.tokens: i for i, text in enumerate(rows.outputs)}
    found = rows[[place[text.tokens] for text in drawn.outputs]]
    assert len(set(found.outputs)) > 5
    assert_close(found.logp_old, drawn.logp_old, atol=1e-9, rtol=0)
    assert [text.truncated for text in found.outputs] == [text.truncated for text in drawn.outputs]
    assert found.outputs == drawn.outputs
    assert torch.equal(found.mask, drawn.mask)
    assert {text.truncated for text in drawn.outputs} == {True, False}


def test_log_probabilities_of_whole_rows():
    policy = build(torch.float32)
    rows = every_row(policy, PROMPT)
    found = log_probs_of_rows(policy, rows)
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert_close(found, rows.logp_old.double().sum(1))
    assert (log_probs_of_rows(policy, every_row(policy, Problem(0, "c"))) - found).abs().max() > 0.1


def test_what_cannot_be_listed_is_refused():
    for told in ({"stop": ["b"]}, {"top_k": 2}, {"top_p": 0.5}, {"temperature": 0.0}):
        with pytest.raises(UserError, match="without stop strings, top_k, top_p, min_p and temperature=0"):
            every_row(build(**told), PROMPT)
    with pytest.raises(UserError, match=r"6 tokens make 6\^8 rows of 8 decisions, more than 1000000 to list"):
        every_row(build(max_new_tokens=8), PROMPT)
