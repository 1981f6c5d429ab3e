"""The tower runs once for a problem while it is frozen, and again with gradient while it learns."""

import copy

import pytest
import torch

from rlft.policies.language.folder import with_lora
from rlft.policies.language.policy import Language
from rlft.types import UserError
from tests.policies.perception.families import FAMILIES, PICTURES, llava, qwen_vl

SEEN = 3  # of the four problems show something


def built(tower, family=llava):
    model, processor = family()
    policy = Language(model, processor, max_new_tokens=6)
    policy.front.hold(model, tower, False)
    return policy, counted(policy)


def counted(policy):
    """How often the tower's own code has run; the trial of the front is over."""
    policy.front.sight(policy.causal, PICTURES[:1], [policy.prompt(PICTURES[0], 6)])
    policy.front.tower.kept.values.clear()
    runs = []
    first = next(m for m in policy.front.parts(policy.causal)[0].modules() if "Conv" in type(m).__name__)
    first.register_forward_hook(lambda *_: runs.append(1))
    return runs


def grads(policy):
    """Which parts have a gradient that is not 0."""
    tower, between = policy.front.parts(policy.causal)
    parts = {"tower": tower, "between": torch.nn.ModuleList(between), "decoder": policy.causal.get_decoder()}
    return {n for n, part in parts.items() if any(p.grad is not None and p.grad.any() for p in part.parameters())}


def test_a_frozen_tower_runs_once_a_problem_for_everything():
    policy, runs = built("frozen")
    reference = policy.reference()
    rows = policy.sample(PICTURES, 3, seed=0)
    for _ in range(2):
        policy.log_prob(rows).sum().backward()
    reference.log_prob(rows)
    policy.log_prob(rows[[0, 1, 2]])
    policy.sample(PICTURES, 2, seed=1)
    assert len(runs) == SEEN
    assert grads(policy) == {"decoder"}


def test_an_adapted_decoder_lends_its_reference_what_the_tower_gave():
    model, processor = llava()
    policy = Language(with_lora(model, 2), processor, max_new_tokens=6)
    runs = counted(policy)
    reference = policy.reference()
    rows = policy.sample(PICTURES, 3, seed=0)
    assert (reference.log_prob(rows) - policy.log_prob(rows)).abs().max() == 0
    assert len(runs) == SEEN


def test_behind_a_frozen_tower_the_projector_learns_from_what_is_kept():
    policy, runs = built("projector")
    rows = policy.sample(PICTURES, 3, seed=0)
    before = len(runs)
    for _ in range(3):
        policy.log_prob(rows).sum().backward()
    assert len(runs) - before == SEEN
    assert grads(policy) == {"between", "decoder"}


@pytest.mark.parametrize("family", [llava, lambda: qwen_vl("2.5"), lambda: qwen_vl("3")])
def test_a_tower_that_learns_has_the_gradient_of_the_models_own_code(family):
    policy, runs = built("trained", family)
    problem = PICTURES[0]
    rows = policy.sample([problem], 2, seed=0)
    before = len(runs)
    for _ in range(2):
        policy.zero_grad()
        policy.log_prob(rows)[0].sum().backward()
    assert len(runs) - before == 2
    assert {"tower", "decoder"} <= grads(policy)
    tower = policy.front.parts(policy.causal)[0]
    ours = {name: p.grad.clone() for name, p in tower.named_parameters() if p.grad is not None}
    policy.zero_grad()
    length, said = int(rows.trace["prompt_length"][0]), rows.trace["completion"][0]
    tokens = torch.cat([rows.trace["prompt"][0, :length], said])[None]
    kinds = {"mm_token_type_ids": (tokens == policy.front.tower.symbol).int()} if "qwen" in str(type(tower)) else {}
    given = {**policy.front.looked(problem).features, "attention_mask": torch.ones_like(tokens), **kinds}
    logits = policy.causal(input_ids=tokens, **given).logits[0, length - 1 : -1]
    own = logits.log_softmax(-1).gather(1, said[:, None])[:, 0]
    own[rows.mask[0]].sum().backward()
    for name, p in tower.named_parameters():
        if name in ours and p.grad is not None:
            assert torch.allclose(ours[name], p.grad, atol=2e-4, rtol=1e-3), name


def test_other_weights_are_another_tower():
    policy, runs = built("frozen")
    rows = policy.sample(PICTURES, 2, seed=0)
    with torch.no_grad():
        next(policy.front.parts(policy.causal)[0].parameters()).mul_(1.5)
    changed = policy.log_prob(rows)
    assert len(runs) == 2 * SEEN
    assert (changed - rows.logp_old)[:4].abs().max() > 1e-3
    weights = copy.deepcopy(policy.state_dict())
    policy.load_state_dict(weights)
    assert torch.equal(policy.log_prob(rows), changed)


def test_what_is_kept_is_bounded():
    policy, runs = built("frozen")
    policy.front.tower.kept.numbers = 1
    rows = policy.sample(PICTURES, 2, seed=0)
    policy.log_prob(rows)
    assert len(policy.front.tower.kept.values) == 1 and len(runs) == 2 * SEEN


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_are_on_the_decoder_alone(family):
    """Of most families the tower has layers of the same names."""
    model, processor = FAMILIES[family][0]()
    adapted = with_lora(model, 2)
    names = [name for name, _ in adapted.named_modules() if name.endswith("lora_A")]
    decoder = model.get_decoder()
    inside = [name for name, _ in decoder.named_modules() if name.endswith("lora_A")]
    assert len(names) == len(inside) == 3 * 7
    assert [p for p in adapted.parameters() if p.requires_grad]
    with pytest.raises(UserError, match="adapter has none of its weights"):
        Language(adapted, processor).front.hold(model, "projector", True)


@pytest.mark.parametrize("family", [llava, lambda: qwen_vl("3")], ids=["llava", "qwen3"])
def test_a_glance_gives_what_the_tower_gives_alone(family):
    alone, _ = built("frozen", family)
    rows = alone.sample(PICTURES, 2, seed=0)
    policy, runs = built("frozen", family)
    policy.load_state_dict(alone.state_dict())
    policy.front.glance(policy.causal, PICTURES)
    assert len(runs) == 1
    again = policy.log_prob(rows)
    assert len(runs) == 1
    assert (again - rows.logp_old).abs().max() < 5e-5


def test_a_tower_that_learns_is_not_glanced_at():
    policy, runs = built("trained")
    policy.front.glance(policy.causal, PICTURES)
    assert not runs
