"""Weights in half precision learn what float32 weights learn, and go on after a stop as if there had been none."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.methods.grpo import grpo
from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.training.optimizing import Masters, adamw
from rlft.training.trainer import Trainer
from rlft.types import Problem, UserError


class Letters:
    name, split, size = "letters", "train", None

    def at(self, index):
        return Problem(index, "abcd"[index % 4], task=self.name)


def many_a(problems, outputs):
    return [output.count("a") / 8 for output in outputs]


def trainer(dtype, lr=1e-6, rows=None):
    tokenizer = character_tokenizer("abcd")
    model = small_llama(len(tokenizer), width=32, layers=1, heads=2, context=16, seed=0).to(dtype)
    policy = Language(model, tokenizer, max_new_tokens=8)
    return Trainer(policy, grpo(beta=0.0), Letters(), many_a, prompts=4, group=4, lr=lr, rows=rows)


def test_small_updates_add_up_in_the_master():
    """Adam with a constant gradient moves a weight by lr a step: far less than bfloat16 can tell from 1."""
    weight = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    masters = Masters([weight, weight])
    (copy_,) = masters.of([weight])
    assert copy_.dtype == torch.float32 and len(masters.copies) == 1
    optimizer = adamw([copy_], 1e-3)
    for step in range(1, 9):
        weight.grad = torch.full_like(weight, 2.0)
        masters.gather()
        assert weight.grad is None
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        masters.write()
        assert_close(copy_, torch.full((3,), 1 - step * 1e-3), atol=1e-5, rtol=0)
        assert torch.equal(weight, copy_.bfloat16())
    assert weight[0] == 0.9921875  # 0.992 in steps of 1/256


def test_gradients_of_passes_add_up_in_float32():
    weight = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    masters = Masters([weight])
    for value in (256.0, 1.0, 1.0):  # 257 is not a number of bfloat16's
        weight.grad = torch.full_like(weight, value)
        masters.gather()
    assert masters.copies[0].grad.item() == 258.0


def test_weights_of_other_types_are_their_own_masters():
    weight = nn.Parameter(torch.zeros(2))
    masters = Masters([weight])
    assert masters.of([weight])[0] is weight and masters.state_dict() == {}


def test_float16_is_refused():
    with pytest.raises(UserError, match="float16, where gradients below 6e-8 are lost"):
        Masters([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=torch.float16))])


def moved(dtype):
    """The share of what is trained that ten steps at 1e-6 have changed."""
    t = trainer(dtype)
    of = t.masters.of(list(t.policy.parameters()))
    before = [weight.detach().clone() for weight in of]
    list(t.run(10))
    changed = sum(int((weight != start).sum()) for weight, start in zip(of, before, strict=True))
    return changed / sum(weight.numel() for weight in of)


def test_as_large_a_share_moves_as_in_float32():
    float32, bfloat16 = moved(torch.float32), moved(torch.bfloat16)
    assert float32 > 0.5
    assert bfloat16 == pytest.approx(float32, abs=0.05)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_stopped_and_gone_on_is_the_straight_run_bit_for_bit(dtype):
    straight, first, second = (trainer(dtype, lr=1e-4, rows=6) for _ in range(3))
    list(straight.run(4))
    list(first.run(2))
    state = copy.deepcopy(first.state_dict())
    list(first.run(3))
    second.load_state_dict(state)
    list(second.run(4))
    for one, other in zip(straight.policy.parameters(), second.policy.parameters(), strict=True):
        assert torch.equal(one, other)
    assert all(map(torch.equal, straight.masters.copies, second.masters.copies))


def test_the_fused_kernel_is_for_large_models():
    few, many = ([nn.Parameter(torch.ones(size))] for size in (2**10, 2**22))
    assert not adamw(few, 1e-3).defaults["fused"]
    assert adamw(many, 1e-3).defaults["fused"]
    plain = [nn.Parameter(torch.ones(2**22))]
    for weights, optimizer in ((many, adamw(many, 1e-3)), (plain, torch.optim.AdamW(plain, 1e-3, weight_decay=0.0))):
        for step in range(3):
            weights[0].grad = torch.linspace(-1, 1, 2**22) * (step + 1)
            optimizer.step()
    assert_close(many[0], plain[0], atol=1e-6, rtol=0)


# How far a row's log-probabilities are apart when it is drawn and when it is scored, and drawn with other neighbours.
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 5e-5), (torch.bfloat16, 0.1)])
def test_sampler_and_trainer_agree_in_every_computing_type(dtype, bound):
    policy = trainer(dtype).policy
    problems = [Letters().at(index) for index in range(4)]
    rows = policy.sample(problems, 4, seed=1)
    assert (policy.log_prob(rows) - rows.logp_old).abs().max() <= bound
    policy.rows = 3
    few = policy.sample(problems, 4, seed=1)
    same = (few.trace["completion"] == rows.trace["completion"]).all(1)
    assert same.all() if dtype != torch.bfloat16 else same.float().mean() > 0.5
    assert (few.logp_old - rows.logp_old)[same].abs().max() <= bound


def test_adapters_on_a_bfloat16_base_are_float32():
    from rlft.policies.language.folder import with_lora

    policy = trainer(torch.bfloat16).policy
    adapted = policy.with_model(with_lora(policy.causal, 4))
    t = Trainer(adapted, grpo(beta=0.0), Letters(), many_a, prompts=4, group=4, lr=1e-3)
    learned = [weight for weight in adapted.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in learned} == {torch.float32} and not t.masters.copies
    base = [weight.clone() for weight in adapted.parameters() if not weight.requires_grad]
    before = [weight.detach().clone() for weight in learned]
    metrics = t.step()
    assert metrics["ratio/first"] <= 0.1
    assert any(not torch.equal(one, other) for one, other in zip(before, learned, strict=True))
    kept = [weight for weight in adapted.parameters() if not weight.requires_grad]
    assert all(map(torch.equal, base, kept))
    assert {weight.dtype for weight in kept} == {torch.bfloat16}
