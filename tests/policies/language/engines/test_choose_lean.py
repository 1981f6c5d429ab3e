"""The lean engine against the model's own forward: the same tokens from the same noise, scores and gradients."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.models.small_language import character_tokenizer
from rlft.policies.language.engines.choose import Lean, Plain
from rlft.policies.language.engines.decode import LeanDecoder
from rlft.policies.language.policy import Language
from rlft.types import Problem, Rollouts
from tests.policies.language.exact_norms import exactly

TOKENIZER = character_tokenizer("abcdefgh")
PROMPTS = [Problem(i, text, answer=text[::-1]) for i, text in enumerate(["abc", "h", "gfedcba", "cc"])]
EVEN = [Problem(i, text, answer=text[::-1]) for i, text in enumerate(["abc", "hhg", "dea"])]
CUT = {"temperature": 0.7, "top_p": 0.9, "top_k": 5}
KINDS = {
    "llama": {"attention_bias": True, "mlp_bias": True},
    "qwen2": {"tie_word_embeddings": True, "use_sliding_window": False},
    "qwen3": {"head_dim": 16},
    "mistral": {"sliding_window": None, "head_dim": 12},
    "llama, far": {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}},
}


def causal(kind="qwen2", dtype=torch.float64):
    """Random weights and biases, scaled up so that what a wrong mask or position would change is seen."""
    from transformers import AutoConfig, AutoModelForCausalLM

    usual = {"vocab_size": len(TOKENIZER), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(kind.split(",")[0], **usual, **heads, **special, **KINDS[kind])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.mul_(6) if weight.dim() > 1 else weight.add_(0.3 * torch.randn_like(weight))
                assert weight.std() > 0.01, name
    model.generation_config.eos_token_id = [2, 5]  # so that rows are of many lengths
    return model.to(dtype)


def pair(model: nn.Module, **told) -> tuple[Language, Language]:
    """The same weights through both engines."""
    told = {"max_new_tokens": 12, **told}
    return Language(model, TOKENIZER, engine=Lean, **told), Language(model, TOKENIZER, engine=Plain, **told)


def gradients(policy: Language, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    policy.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in policy.named_parameters() if weight.grad is not None}


def compared(lean: Language, plain: Language, rows: Rollouts, atol: float, atol_gradient: float) -> None:
    """Scores and gradients of both engines; the decisions' weights differ."""
    weight = torch.linspace(-1, 2, rows.mask.numel()).view(rows.mask.shape)
    ours, theirs = (policy.log_prob(rows) for policy in (lean, plain))
    assert lean.engine.exact
    assert_close(ours, theirs, atol=atol, rtol=0)
    assert theirs[rows.mask].std() > 0.1
    found, wanted = gradients(lean, (ours * weight).sum()), gradients(plain, (theirs * weight).sum())
    assert_close(found, wanted, atol=atol_gradient, rtol=0)
    assert all(gradient.any() for gradient in wanted.values())


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
@pytest.mark.parametrize("problems", [PROMPTS, EVEN], ids=["uneven", "even"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_tokens_scores_and_gradients_in_float64(kind, problems, told):
    lean, plain = pair(exactly(causal(kind)), **told)
    rows, other = lean.sample(problems, 5, seed=3), plain.sample(problems, 5, seed=3)
    assert isinstance(lean.engine.decoder(), LeanDecoder)
    assert [text.tokens for text in rows.outputs] == [text.tokens for text in other.outputs]
    assert_close(rows.logp_old, other.logp_old, atol=1e-11, rtol=0)
    assert len(rows.mask.sum(1).unique()) > 2
    assert_close(lean.log_prob(rows), rows.logp_old, atol=1e-11, rtol=0)
    compared(lean, plain, rows, 1e-11, 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_tokens_scores_and_gradients_in_float32(kind):
    lean, plain = pair(causal(kind, torch.float32))
    rows, other = lean.sample(PROMPTS, 5, seed=3), plain.sample(PROMPTS, 5, seed=3)
    assert [text.tokens for text in rows.outputs] == [text.tokens for text in other.outputs]
    assert_close(rows.logp_old, other.logp_old, atol=1e-5, rtol=0)
    scale = max(gradient.abs().max() for gradient in gradients(plain, plain.log_prob(rows).sum()).values())
    compared(lean, plain, rows, 1e-5, 2e-5 * float(scale))


def test_the_library_s_norm_is_reproduced_in_float64():
    """Its values are those of float32 rounding, which both engines share; its gradient is float32 in theirs alone."""
    lean, plain = pair(causal())
    rows = lean.sample(PROMPTS, 5, seed=3)
    assert_close(lean.log_prob(rows), plain.log_prob(rows), atol=1e-9, rtol=0)
    compared(lean, plain, rows, 1e-9, 1e-4)


def test_bfloat16_is_scored_in_float32():
    lean, plain = pair(causal(dtype=torch.bfloat16))
    rows = lean.sample(PROMPTS, 5, seed=3)
    ours, theirs = lean.log_prob(rows), plain.log_prob(rows)
    assert lean.engine.exact
    assert ours.dtype == rows.logp_old.dtype == torch.float32
    # Eight bits: two orders of summation differ in the second digit of a logit.
    assert (ours - theirs).abs().mean() < 0.05 * theirs[rows.mask].std()
    assert (ours - rows.logp_old).abs().mean() < 0.05 * theirs[rows.mask].std()
    ours.sum().backward()
    assert all(weight.grad.dtype == torch.bfloat16 for weight in lean.parameters())


@pytest.mark.parametrize("order", [[3, 0, 9, 1, 2, 14, 7], [5], [0, 1, 5, 6, 10, 11], [7, 7]])
def test_any_rows_in_any_order(order):
    """Groups that are torn apart, out of order, of one row, or with a row twice."""
    lean, plain = pair(exactly(causal()))
    rows = lean.sample(PROMPTS, 5, seed=3)
    compared(lean, plain, rows[order], 1e-11, 1e-9)
    assert_close(lean.log_prob(rows[order]), lean.log_prob(rows)[order], atol=1e-11, rtol=0)


def test_micro_batches_add_up_to_the_whole_batch():
    policy = Language(causal(), TOKENIZER, max_new_tokens=12)  # with the norm of the library, in float64
    rows = policy.sample(PROMPTS, 4, seed=3)
    weight = torch.linspace(-1, 2, rows.mask.numel(), dtype=torch.float64).view(rows.mask.shape)
    whole = gradients(policy, (policy.log_prob(rows) * weight).sum())
    scale = max(gradient.abs().max() for gradient in whole.values())
    for cut in ([[0, 1, 2], [3, 4, 5, 6, 7, 8], [*range(9, 16)]], [[*range(i, 16, 3)] for i in range(3)]):
        parts = sum((policy.log_prob(rows[part]) * weight[part]).sum() for part in cut)
        assert_close(gradients(policy, parts), whole, atol=1e-12 * float(scale), rtol=0)


def test_decisions_with_gaps_and_without():
    """Off the mask nothing is scored, but what stands there was said; a row may decide nothing at all."""
    lean, plain = pair(exactly(causal()))
    rows = lean.sample(PROMPTS, 4, seed=3)
    holes = rows.mask.clone()
    holes[:, 1::3] = False
    holes[2:5] = False
    compared(lean, plain, Rollouts(**{**vars(rows), "mask": holes}), 1e-11, 1e-9)
    first = torch.zeros_like(holes)
    first[:, 0] = True  # no completion is read at all
    compared(lean, plain, Rollouts(**{**vars(rows), "mask": first}), 1e-11, 1e-9)
    nothing = lean.log_prob(Rollouts(**{**vars(rows), "mask": torch.zeros_like(holes)}))
    found = gradients(lean, nothing.sum())
    assert found.keys() == dict(lean.named_parameters()).keys()
    assert not any(gradient.any() for gradient in found.values())


@pytest.mark.parametrize("tied", [True, False])
def test_values_read_the_same_states(tied):
    lean, plain = pair(exactly(causal("qwen2" if tied else "llama")), critic=True, value_trains_trunk=True)
    for policy in (lean, plain):
        nn.init.constant_(policy.value_head.weight, 0.3)
    rows = lean.sample(PROMPTS, 4, seed=3)
    assert_close(lean.value(rows), plain.value(rows), atol=1e-11, rtol=0)
    found, wanted = (gradients(policy, policy.value(rows).sum()) for policy in (lean, plain))
    assert_close(found, wanted, atol=1e-9, rtol=0)
    assert lean.value(rows).std() > 0.1


def test_prompts_are_scored_once_for_their_group():
    """The rows of a batch that reach the layers: prompts once, completions up to their last decision; past the last
    layer's attention go only those that a decision stands behind."""
    policy = Language(causal(), TOKENIZER, max_new_tokens=12)
    rows = policy.sample(PROMPTS, 6, seed=3)
    policy.log_prob(rows)
    counts = []
    for layer in policy.causal.model.layers:
        layer.mlp.up_proj.register_forward_pre_hook(lambda m, told: counts.append(len(told[0])))
    policy.log_prob(rows)
    later = int(rows.mask.sum()) - 24
    assert counts == [4 + 2 + 8 + 3 + later, 4 + later]


def test_recomputed_activations_give_the_same_gradients():
    plain, saving = (
        Language(exactly(causal()), TOKENIZER, max_new_tokens=12, gradient_checkpointing=on) for on in (False, True)
    )
    rows = plain.sample(PROMPTS, 3, seed=1)
    assert [t.tokens for t in saving.sample(PROMPTS, 3, 1).outputs] == [t.tokens for t in rows.outputs]
    runs = []
    hook = saving.causal.model.layers[1].mlp.up_proj.register_forward_pre_hook(lambda m, told: runs.append(m))
    wanted = gradients(plain, plain.log_prob(rows).sum())
    assert_close(gradients(saving, saving.log_prob(rows).sum()), wanted, atol=1e-12, rtol=0)
    hook.remove()
    assert len(runs) == 2
    assert saving.engine.exact


def test_adapters_act_and_can_be_switched_off():
    from rlft.policies.language.folder import with_lora

    lean, plain = pair(with_lora(exactly(causal()), 2))
    rows = lean.sample(PROMPTS, 4, seed=3)
    reference = lean.reference()
    with torch.no_grad():
        for name, weight in lean.named_parameters():
            if "lora_B" in name:
                weight.add_(0.3)
    compared(lean, plain, rows, 1e-11, 1e-9)
    assert (lean.log_prob(rows) - rows.logp_old).abs().max() > 0.1
    assert_close(reference.log_prob(rows), rows.logp_old, atol=1e-11, rtol=0)
    assert reference.kept == []
    own = lean.sample(PROMPTS, 4, seed=4)
    assert_close(lean.log_prob(own), own.logp_old, atol=1e-11, rtol=0)
    assert isinstance(lean.engine.decoder(), LeanDecoder)


def test_no_weight_is_copied():
    policy = Language(causal(), TOKENIZER)
    held = {weight.data_ptr() for weight in policy.causal.parameters()}
    block = policy.engine.decoder().trunk.blocks[1]
    for direct in (*block.read.layers, block.out, *block.widen.layers, block.down):
        assert direct.keywords["weight"].data_ptr() in held
    assert block.first.weight.data_ptr() in held
    other = copy.deepcopy(policy)
    assert other.engine.model is other.causal
    assert not held & {weight.data_ptr() for weight in other.causal.parameters()}


def altered(model: nn.Module, how: str) -> nn.Module:
    """A model of the parts of Llama that does something else with them."""
    trunk = model.model
    if how == "another scale":
        trunk.layers[1].self_attn.scaling *= 1.5
    if how == "another activation":
        trunk.layers[1].mlp.act_fn = nn.Tanh()
    if how == "an angle that is not there":
        trunk.rotary_emb.attention_scaling = 1.1
    if how in ("another order", "only far away"):
        forward = trunk.forward

        def other(*args, **told):
            out = forward(*args, **told)
            place = told.get("position_ids")
            if how == "another order" or (place is not None and place.max() > 50):
                out.last_hidden_state = out.last_hidden_state * 1.1
            return out

        trunk.forward = other
    return model


@pytest.mark.parametrize("how", ["another scale", "another order", "only far away"])
def test_a_model_that_computes_otherwise_keeps_its_own_forward(how):
    lean, plain = pair(altered(causal(), how))
    rows, other = lean.sample(PROMPTS, 3, seed=3), plain.sample(PROMPTS, 3, seed=3)
    assert lean.engine.exact is False
    assert [text.tokens for text in rows.outputs] == [text.tokens for text in other.outputs]
    assert torch.equal(lean.log_prob(rows), plain.log_prob(rows))


@pytest.mark.parametrize("how", ["another activation", "an angle that is not there"])
def test_what_belongs_to_a_part_is_kept(how):
    lean, plain = pair(altered(exactly(causal()), how))
    rows = lean.sample(PROMPTS, 3, seed=3)
    compared(lean, plain, rows, 1e-11, 1e-9)


def test_a_hook_is_served_by_the_model_s_own_forward():
    policy = Language(causal(), TOKENIZER, max_new_tokens=12)
    rows = policy.sample(PROMPTS, 3, seed=3)
    calls = []
    hook = policy.causal.model.layers[0].register_forward_pre_hook(lambda m, told: calls.append(m))
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert len(calls) == 1
    assert not isinstance(policy.engine.decoder(), LeanDecoder)
    hook.remove()
    assert isinstance(policy.engine.decoder(), LeanDecoder)


def test_a_diverged_model_says_so():
    policy = Language(causal(), TOKENIZER, max_new_tokens=12)
    with torch.no_grad():
        policy.causal.model.layers[0].mlp.up_proj.weight[0] = math.nan
    with pytest.raises(FloatingPointError, match="diverged"):
        policy.sample(PROMPTS, 2, 0)


def test_angles_that_change_with_the_length_are_left_to_the_model():
    from transformers import LlamaConfig, LlamaForCausalLM

    told = {"vocab_size": 11, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "eos_token_id": 2}
    config = LlamaConfig(**told, rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4})
    with torch.random.fork_rng():
        policy = Language(LlamaForCausalLM(config), TOKENIZER)
    assert not policy.engine.fits
