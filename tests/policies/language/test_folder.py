"""Language: folders that plain transformers reads, adapters and their reference, and what cannot be loaded."""

import json

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.policy import Language
from rlft.types import HasReference, Problem, UserError

LETTERS = "abcdefgh \n"
PROMPTS = [Problem(i, text, answer="hh") for i, text in enumerate(["abc", "h", "gf e\ndc"])]


def small(seed=0):
    tokenizer = character_tokenizer(LETTERS)
    return small_llama(len(tokenizer), width=32, layers=2, heads=4, context=64, seed=seed), tokenizer


def tied():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=13, n_embd=32, n_layer=2, n_head=4, n_positions=64, eos_token_id=2)
        return GPT2LMHeadModel(config), character_tokenizer(LETTERS)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    Language(*small()).save(folder)
    return folder


def plain_logits(folder) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([[1, 5, 3, 9, 4]])).logits


def logits(policy: Language) -> torch.Tensor:
    with torch.no_grad():
        return policy.causal(torch.tensor([[1, 5, 3, 9, 4]], device=policy.device)).logits.cpu()


def train(policy: Language, steps: int = 3) -> None:
    """A few steps towards the answers, with a large rate."""
    optimizer = torch.optim.SGD([weight for weight in policy.parameters() if weight.requires_grad], lr=1.0)
    for _ in range(steps):
        optimizer.zero_grad()
        policy.loss_on(policy.demonstrate(PROMPTS, 0)).mean().backward()
        optimizer.step()


@pytest.mark.parametrize("make", [small, tied])
def test_a_saved_policy_loads_in_plain_transformers_and_here(make, tmp_path):
    policy = Language(*make(), critic=True, max_new_tokens=6)
    train(policy)
    torch.nn.init.constant_(policy.value_head.weight, 0.5)
    policy.save(tmp_path / "out")
    assert_close(plain_logits(tmp_path / "out"), logits(policy), atol=0, rtol=0)
    assert not list((tmp_path / "out").glob("*.bin"))
    again = Language.load(tmp_path / "out", critic=True, max_new_tokens=6, device="cpu")
    rows = policy.sample(PROMPTS, group=2, seed=0)
    assert [text.tokens for text in again.sample(PROMPTS, 2, 0).outputs] == [text.tokens for text in rows.outputs]
    assert_close(again.value(rows), policy.value(rows), atol=0, rtol=0)
    assert again.value(rows).any()
    assert Language.load(str(tmp_path / "out"), device="cpu").value_head is None


@pytest.mark.parametrize("make", [small, tied])
def test_the_character_tokenizer_survives_its_folder(make, tmp_path):
    """`AutoTokenizer` may take a class from the model's type, and then encode every text to nothing."""
    policy = Language(*make())
    policy.save(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "ha b\n\nc"
    assert tokenizer(text)["input_ids"] == [1, 10, 3, 11, 4, 12, 12, 5]
    assert tokenizer.decode([10, 3, 11, 4, 12, 12, 5, 2], skip_special_tokens=True) == text
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert len(tokenizer) == 13
    with pytest.raises(Exception, match="UNK"):
        tokenizer("z")


def test_small_llama_depends_on_its_seed_alone():
    state = torch.random.get_rng_state()
    one, same, other = small()[0], small()[0], small(seed=1)[0]
    assert torch.random.get_rng_state().equal(state)
    assert_close(dict(one.state_dict()), dict(same.state_dict()), atol=0, rtol=0)
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)


def test_lora_trains_adapters_and_its_reference_is_the_base(base):
    state = torch.random.get_rng_state()
    policy = Language.load(base, lora=2, max_new_tokens=6, device="cpu")
    assert torch.random.get_rng_state().equal(state)
    plain = Language.load(base, max_new_tokens=6, device="cpu")
    rows = plain.sample(PROMPTS, group=4, seed=0)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    trained = [name for name, weight in policy.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * 7 * 2  # A and B, seven linear layers, two blocks
    assert all("lora_" in name for name in trained)
    assert isinstance(policy, HasReference)
    reference = policy.reference()
    assert reference.kept == []  # lent, not copied
    train(policy)
    assert (policy.log_prob(rows) - rows.logp_old).abs().max() > 0.05
    assert_close(reference.log_prob(rows), plain.log_prob(rows).detach(), atol=1e-6, rtol=0)
    assert [t.tokens for t in reference.sample(PROMPTS, 4, 0).outputs] == [t.tokens for t in rows.outputs]
    assert not list(reference.parameters())
    # Looking at the reference leaves the policy as it was, and on its own.
    own = policy.sample(PROMPTS, group=4, seed=0)
    assert_close(policy.log_prob(own), own.logp_old, atol=5e-5, rtol=0)
    assert policy.log_prob(own).requires_grad


def test_new_adapters_do_not_depend_on_global_randomness(base):
    drawn = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            policy = Language.load(base, lora=2, device="cpu")
            drawn.append({name: weight for name, weight in policy.named_parameters() if "lora_A" in name})
    assert_close(drawn[0], drawn[1], atol=0, rtol=0)
    assert all(weight.any() for weight in drawn[0].values())


def test_an_adapter_folder_names_its_base_and_is_trained_on(base, tmp_path):
    policy = Language.load(base, lora=2, critic=True, max_new_tokens=6, device="cpu")
    train(policy)
    torch.nn.init.constant_(policy.value_head.weight, 0.5)
    policy.save(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        base
    )
    again = Language.load(tmp_path / "adapter", critic=True, max_new_tokens=6, device="cpu")
    assert_close(logits(again), logits(policy), atol=1e-6, rtol=0)
    assert (logits(again) - plain_logits(base)).abs().max() > 0.05
    rows = again.sample(PROMPTS, group=2, seed=0)
    assert_close(again.value(rows), policy.value(rows), atol=1e-5, rtol=0)
    # Its start is the trained adapter and not the bare base.
    reference = again.reference()
    train(again)
    assert (again.log_prob(rows) - rows.logp_old).abs().max() > 0.05
    assert_close(reference.log_prob(rows), rows.logp_old, atol=5e-5, rtol=0)
    assert (again.log_prob(rows) - rows.logp_old).abs().max() > 0.05


def test_a_merged_adapter_is_a_plain_model(base, tmp_path):
    policy = Language.load(base, lora=3, device="cpu")
    train(policy)
    before = logits(policy)
    policy.save(tmp_path / "merged", merge=True)
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    assert_close(plain_logits(tmp_path / "merged"), before, atol=1e-5, rtol=0)
    assert (before - plain_logits(base)).abs().max() > 0.05
    assert_close(logits(policy), before, atol=0, rtol=0)
    assert policy.reference() is not policy


def test_an_adapter_whose_base_is_nowhere_is_not_saved(tmp_path):
    from rlft.policies.language.folder import with_lora

    model, tokenizer = small()
    policy = Language(with_lora(model, 2), tokenizer)
    with pytest.raises(UserError, match="merge=True"):
        policy.save(tmp_path / "lost")
    policy.save(tmp_path / "merged", merge=True)
    assert plain_logits(tmp_path / "merged").shape == (1, 5, 13)


def test_what_cannot_be_loaded_says_why(base, tmp_path):
    def refused(path, **told):
        with pytest.raises(UserError) as caught:
            Language.load(path, device="cpu", **told)
        return str(caught.value)

    assert refused(tmp_path / "none") == f"there is no model folder {tmp_path / 'none'}"
    assert "no model folder" in refused("./none")
    assert "neither config.json nor adapter_config.json" in refused(tmp_path)
    assert "hub id (there is no such folder) nobody/nothing" in refused("nobody/nothing")
    assert "dtype 'int8'" in refused(base, dtype="int8")
    assert "rank is 0" in refused(base, lora=0)
    Language.load(base, lora=2, device="cpu").save(tmp_path / "adapter")
    assert "rank 2, and lora=4" in refused(tmp_path / "adapter", lora=4)


def test_pickled_weights_are_not_read(tmp_path):
    model, tokenizer = small()
    model.config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        Language.load(tmp_path, device="cpu")


def test_precision_is_asked_for(base):
    assert Language.load(base, dtype="bfloat16", device="cpu").causal.dtype == torch.bfloat16
    assert Language.load(base, dtype="float64", device="cpu").causal.dtype == torch.float64
    wide = Language.load(base, dtype="float64", lora=2, device="cpu", max_new_tokens=6)
    train(wide)
    rows = wide.sample(PROMPTS, group=2, seed=0)
    assert_close(wide.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)


def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no model folder runs/first, and runs is a folder here"):
        Language.load("runs/first")
