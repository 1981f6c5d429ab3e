"""Language with PEFT adapters of other kinds than ours: added tokens, embeddings, heads, tied ones; merging."""

import peft
import pytest
import torch
from torch.testing import assert_close

from rlft.policies.language import adapters
from rlft.policies.language.folder import as_peft_is
from rlft.policies.language.policy import Language
from rlft.types import UserError
from tests.policies.language.test_folder import PROMPTS, logits, plain_logits, small, train

KINDS = {
    "added tokens, saved": ({"modules_to_save": ["embed_tokens", "lm_head"]}, 3),
    "added tokens, trained": ({"trainable_token_indices": {"embed_tokens": [3, 13, 14]}}, 2),
    "embeddings": ({"target_modules": ["q_proj", "embed_tokens"]}, 0),
    "head": ({"target_modules": ["q_proj", "lm_head"]}, 0),
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft", "ignore:Input and output embeddings are no longer")


def based(folder, tied):
    """A saved base, loaded."""
    model, tokenizer = small()
    if tied:
        model.config.tie_word_embeddings, model.lm_head.weight = True, model.model.embed_tokens.weight
    Language(model, tokenizer).save(folder)
    return Language.load(folder, device="cpu").causal, tokenizer


def adapted(model, tokenizer, told, added=0) -> Language:
    if added:
        tokenizer.add_tokens([f"<{i}>" for i in range(added)])
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with as_peft_is(), torch.random.fork_rng():
        torch.manual_seed(0)
        config = peft.LoraConfig(r=2, task_type="CAUSAL_LM", **{"target_modules": ["q_proj"], **told})
        return Language(peft.get_peft_model(model, config), tokenizer, max_new_tokens=6)


@pytest.mark.parametrize(("kind", "tied"), [("embeddings", False), *((kind, True) for kind in KINDS)])
def test_it_is_trained_saved_loaded_and_merged(kind, tied, tmp_path, recwarn):
    model, tokenizer = based(tmp_path / "base", tied)
    policy = adapted(model, tokenizer, *KINDS[kind])
    start = logits(policy)
    reference = policy.reference()
    train(policy, 2)
    rows = policy.sample(PROMPTS, group=2, seed=0)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    assert (logits(policy) - start).abs().max() > 0.05
    first = policy.with_model(based(tmp_path / "base", tied)[0]) if not KINDS[kind][1] else None
    if first is not None:  # where the base is as it was, the reference is it
        assert_close(reference.log_prob(rows), first.log_prob(rows).detach(), atol=5e-5, rtol=0)
    policy.save(tmp_path / "adapter")
    again = Language.load(tmp_path / "adapter", max_new_tokens=6, device="cpu")
    assert_close(logits(again), logits(policy), atol=1e-6, rtol=0)
    policy.save(tmp_path / "merged", merge=True)
    assert_close(plain_logits(tmp_path / "merged"), logits(policy), atol=2e-5, rtol=0)
    assert not [w for w in recwarn if "moves log-probabilities" in str(w.message)]


def test_a_tied_base_that_no_adapter_parts_stays_tied(tmp_path):
    policy = adapted(*based(tmp_path / "base", True), {})
    train(policy, 2)
    whole = adapters.merged(policy.model)
    assert whole.config.tie_word_embeddings and whole.lm_head.weight is whole.model.embed_tokens.weight


def test_what_merging_changes_is_said_or_refused(tmp_path, monkeypatch):
    policy = adapted(*based(tmp_path / "base", True), {"target_modules": ["q_proj", "lm_head"]})
    train(policy, 2)
    monkeypatch.setattr(adapters, "_parted", lambda causal: False)  # as PEFT merges
    with pytest.raises(UserError, match=r"moves log-probabilities by up to .* nats: the sum is not the trained model"):
        policy.save(tmp_path / "merged", merge=True)
    monkeypatch.setattr(adapters, "_ANOTHER", 99.0)
    with pytest.warns(UserWarning, match="merging the adapter moves log-probabilities by up to"):
        policy.save(tmp_path / "merged", merge=True)


def test_prompt_tuning_is_refused_in_a_sentence(tmp_path):
    model, tokenizer = based(tmp_path / "base", False)
    tuned = peft.get_peft_model(model, peft.PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM"))
    with pytest.raises(UserError, match="of kind PROMPT_TUNING: it puts tokens of its own before every prompt"):
        Language(tuned, tokenizer)
    tuned.save_pretrained(tmp_path / "tuned")
    with pytest.raises(UserError, match="PROMPT_TUNING"):
        Language.load(tmp_path / "tuned", device="cpu")
