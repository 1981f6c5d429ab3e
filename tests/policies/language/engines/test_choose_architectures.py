"""Language with other architectures than Llama: windows, caps, recurrent states, and caches that cannot be trusted."""

import pytest
import torch
from torch.testing import assert_close

from rlft.models.small_language import character_tokenizer
from rlft.policies.language.engines import plain as _decode
from rlft.policies.language.engines.choose import Plain
from rlft.policies.language.engines.decode import LeanDecoder
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.scoring import context_of
from rlft.types import Problem, Rollouts, UserError

TOKENIZER = character_tokenizer("abcdefgh")
PROMPTS = [Problem(i, text) for i, text in enumerate(["abc", "h", "gfedcba"])]
USUAL = {
    "vocab_size": len(TOKENIZER),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
RECURRENT = {key: USUAL[key] for key in ("vocab_size", "hidden_size", "num_hidden_layers", "eos_token_id")}
ARCHITECTURES = {
    "qwen2": (USUAL, "lean"),
    "qwen3": ({**USUAL, "head_dim": 16}, "lean"),
    "llama": ({**USUAL, "hidden_act": "gelu", "num_hidden_layers": 3}, "lean"),
    "phi": (USUAL, "slots, broad"),
    "phi3": (USUAL, "slots, broad"),
    "gemma": ({**USUAL, "head_dim": 8}, "lean"),
    "gpt2": ({"vocab_size": 11, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}, "slots, broad"),
    "granite": ({**USUAL, "logits_scaling": 0.3}, "slots, broad"),
    "opt": (
        {
            **{key: value for key, value in USUAL.items() if key not in ("intermediate_size", "num_key_value_heads")},
            "ffn_dim": 48,
            "word_embed_proj_dim": 16,
            "dropout": 0.1,
        },
        "slots, broad",
    ),
    "gemma2": (
        {**USUAL, "head_dim": 8, "sliding_window": 5, "query_pre_attn_scalar": 8, "final_logit_softcapping": 2.0},
        "slots",
    ),
    "mistral": ({**USUAL, "sliding_window": None}, "lean"),
    "mistral, window": ({**USUAL, "sliding_window": 4}, "slots"),
    "bloom": ({"vocab_size": 11, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "slots"),
    "mamba": ({**RECURRENT, "state_size": 8}, "slots"),
    "rwkv": ({**RECURRENT, "context_length": 64}, "full"),
}


def build(kind: str, **told) -> Language:
    """Random weights, scaled up so that what a wrong mask or position would change is seen."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind.split(",")[0], **ARCHITECTURES[kind][0])
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(6 if weight.dim() > 1 and weight.std() < 0.1 else 1)
    return Language(model, TOKENIZER, **{"max_new_tokens": 14, **told})


def way_of(policy: Language) -> str:
    made = policy.engine.decoder()
    if isinstance(made, LeanDecoder):
        return "lean"
    if isinstance(made, _decode.Uncached):
        return "full"
    assert isinstance(made, _decode.Cached)
    name = "slots" if made.new_cache is _decode.slot_cache else "own"
    return f"{name}, broad" if made.broad else name


@pytest.mark.filterwarnings("ignore:no cache reproduces")
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_first_ratio_is_one_for_every_architecture(kind):
    policy = build(kind)
    rows = policy.sample(PROMPTS, group=3, seed=5)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    assert rows.logp_old[rows.mask].std() > 0.1
    assert rows.mask.sum() > 30
    assert way_of(policy) == ARCHITECTURES[kind][1]
    alone = policy.sample(PROMPTS[1:2], group=3, seed=5)
    assert [text.tokens for text in alone.outputs] == [text.tokens for text in rows.outputs[3:6]]


@pytest.mark.parametrize("kind", ["qwen2", "gemma2", "granite"])
def test_scores_are_those_of_the_plain_model(kind):
    """The head that scores pieces caps and scales its logits as the whole model does."""
    policy = build(kind)
    row = policy.sample(PROMPTS[2:3], group=1, seed=1)
    whole = torch.cat([row.trace["prompt"], row.trace["completion"]], dim=1)
    with torch.no_grad():
        logp = policy.causal(whole).logits.log_softmax(-1)
    start, length = int(row.trace["prompt_length"][0]), int(row.mask.sum())
    expected = logp[0, start - 1 : start + length - 1].gather(1, whole[0, start : start + length, None])[:, 0]
    assert_close(policy.log_prob(row)[0, :length].detach(), expected, atol=2e-6, rtol=0)


LONGER = {
    **{key: value for key, value in USUAL.items() if key != "max_position_embeddings"},
    "max_position_embeddings": 256,
    "original_max_position_embeddings": 24,
    "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 4, "long_factor": [4.0, 8.0, 16.0, 32.0]},
}


def test_rows_do_not_cross_to_other_rotary_factors(monkeypatch):
    """Up to the switch everything is exact, with whatever is padded beside it; a row across it is refused."""
    monkeypatch.setitem(ARCHITECTURES, "phi3, longrope", (LONGER, "slots, broad"))
    policy = build("phi3, longrope", max_new_tokens=16)
    rows = policy.sample(PROMPTS, group=3, seed=5)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    long, short = policy.with_sampling(max_new_tokens=2), Problem(4, "hgfedcbahgfedcbahgfed")
    both = Rollouts.concat([long.sample([short], 3, 5), rows[3:6]])  # as wide as 22 + 16
    assert both.trace["prompt"].shape[1] + both.mask.shape[1] > 24
    assert_close(policy.log_prob(both), both.logp_old, atol=5e-5, rtol=0)
    with pytest.raises(
        UserError, match=r"do not fit in the model's context of 24 \(of 256: beyond it its rotary factors"
    ):
        policy.check([short])
    assert context_of(build("phi3").causal.config) == 64


@pytest.mark.parametrize(("wrong", "way"), [(1e-8, "own"), (0.0, "slots, broad")])
def test_the_trial_keeps_the_promise(monkeypatch, wrong, way):
    """A cache that is a little wrong (0.0006 in a log-probability), in one row of several, is not used."""

    class Wrong(_decode.SlotLayer):
        def update(self, keys, values, *args, **kwargs):
            keys, values = super().update(keys, values, *args, **kwargs)
            return keys, values + wrong * (torch.arange(len(values)) == 1)[:, None, None, None]

    monkeypatch.setattr(_decode, "SlotLayer", Wrong)
    assert way_of(build("phi")) == way


def test_a_cache_that_lies_is_not_used(monkeypatch):
    policy = build("qwen2", engine=Plain)
    honest = policy.sample(PROMPTS, group=2, seed=1)

    class Forgetful(_decode.SlotLayer):
        def reorder_cache(self, beam_idx):
            super().reorder_cache(beam_idx.flip(0))

    monkeypatch.setattr(_decode, "SlotLayer", Forgetful)
    other = build("qwen2", engine=Plain)
    other.sample(PROMPTS, group=2, seed=1)
    assert way_of(other) == "own"
    assert [text.tokens for text in other.sample(PROMPTS, 2, 1).outputs] == [text.tokens for text in honest.outputs]


def test_a_model_without_a_head_is_refused():
    with pytest.raises(UserError, match="not a causal language model"):
        Language(build("qwen2").causal.model, TOKENIZER)
