"""Language: log-probabilities in pieces, values, demonstrations, references, and what may change nothing."""

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.language.imitate import imitate
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.sampling import unpack
from rlft.types import HasValue, Problem, Rollouts, UserError
from tests.policies.language.exact_norms import exactly

PROMPTS = [Problem(i, text, answer=text[::-1]) for i, text in enumerate(["abc", "h", "gfedcba", "cc"])]
CUT = {"temperature": 0.7, "top_p": 0.9, "top_k": 5}


def build(dtype=torch.float64, letters="abcdefgh", width=32, **told) -> Language:
    tokenizer = character_tokenizer(letters)
    model = exactly(small_llama(len(tokenizer), width=width, layers=2, heads=4, context=64).to(dtype))
    with torch.no_grad():
        model.lm_head.weight.mul_(10)
    return Language(model, tokenizer, **{"max_new_tokens": 12, **told})


def naive(policy: Language, rows: Rollouts, temperature: float) -> torch.Tensor:
    """[N D] row by row with all logits at once, and the support as a set."""
    out = []
    for i in range(len(rows)):
        start, length = int(rows.trace["prompt_length"][i]), int(rows.mask[i].sum())
        prompt, tokens = rows.trace["prompt"][i, :start], rows.trace["completion"][i, :length]
        logits = policy.causal(torch.cat([prompt, tokens])[None]).logits[0, start - 1 : -1] / temperature
        if "support" in rows.trace:
            kept = unpack(rows.trace["support"][i, :length], logits.shape[-1])
            logits = torch.where(kept, logits, -math.inf)
        logp = logits.log_softmax(-1)[range(length), tokens]
        out.append(torch.nn.functional.pad(logp, (0, rows.mask.shape[1] - length)))
    return torch.stack(out)


def gradients(policy: Language, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    policy.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in policy.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
@pytest.mark.parametrize("at_once", [3 * 11, 1, 2**20], ids=["pieces of 3", "pieces of 1", "one piece"])
def test_pieces_are_the_whole_in_value_and_gradient(told, at_once):
    policy = build(logits_at_once=at_once, **told)
    rows = policy.sample(PROMPTS, group=2, seed=1)
    with torch.no_grad():  # away from where the rows were drawn
        for weight in policy.parameters():
            weight.mul_(1.01)
    weight = torch.linspace(-1, 2, rows.mask.numel(), dtype=torch.float64).view(rows.mask.shape)
    ours, expected = policy.log_prob(rows), naive(policy, rows, policy.sampling.temperature)
    assert_close(ours, expected, atol=1e-12, rtol=0)
    assert (ours - rows.logp_old).abs().max() > 1e-3
    found, wanted = (gradients(policy, (logp * weight).sum()) for logp in (ours, expected))
    assert_close(found, wanted, atol=1e-11, rtol=0)
    assert found["model.model.layers.0.self_attn.q_proj.weight"].abs().max() > 1e-3
    assert found["model.lm_head.weight"].abs().max() > 1e-3


class Largest(TorchDispatchMode):
    """The largest tensor of logits, and of anything, that any operation makes, backward included."""

    def __init__(self, vocabulary: int):
        super().__init__()
        self.vocabulary, self.logits, self.anything = vocabulary, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.anything = max(self.anything, tensor.numel())
                if tensor.dim() > 1 and tensor.shape[-1] == self.vocabulary:
                    self.logits = max(self.logits, tensor.numel())
        return out


def test_the_logits_of_all_positions_never_exist_at_once():
    letters = "".join(chr(0x4E00 + i) for i in range(1000))
    policy = build(torch.float32, letters=letters, width=8, logits_at_once=20_000)
    problems = [Problem(i, letters[i : i + 3]) for i in range(8)]
    rows = policy.sample(problems, group=2, seed=0)
    whole = int(rows.mask.sum()) * 1003
    assert whole > 7 * 20_000
    calls = []
    policy.causal.lm_head.register_forward_pre_hook(lambda m, told: calls.append(len(told[0][0])))
    with Largest(1003) as seen:
        logp = policy.log_prob(rows)
        pieces = len(calls)
        logp.sum().backward()
    # Each piece is computed again in the backward pass, so that none is kept for it.
    assert len(calls) == 2 * pieces == 2 * -(-whole // (19 * 1003))
    assert 10_000 < seen.logits <= 20_000
    assert seen.anything <= 20_000
    assert policy.causal.lm_head.weight.grad.abs().max() > 0


def test_only_decisions_reach_the_head():
    policy = build()
    rows = policy.sample(PROMPTS, group=3, seed=2)
    counts = []
    hook = policy.causal.lm_head.register_forward_pre_hook(lambda m, told: counts.append(told[0].shape[:-1].numel()))
    policy.log_prob(rows)
    hook.remove()
    assert counts == [int(rows.mask.sum())]
    assert counts[0] < rows.mask.numel()


def test_masked_decisions_have_no_gradient():
    policy = build()
    rows = policy.sample(PROMPTS, group=2, seed=1)
    half = rows.mask.clone()
    half[:, ::2] = False
    logp = policy.log_prob(Rollouts(**{**vars(rows), "mask": half}))
    assert not logp[~half].any()
    assert_close(logp[half], policy.log_prob(rows)[half], atol=1e-12, rtol=0)
    off = gradients(policy, logp[~half].sum())
    assert off.keys() == dict(policy.named_parameters()).keys()
    assert not any(gradient.any() for gradient in off.values())
    some = gradients(policy, policy.log_prob(Rollouts(**{**vars(rows), "mask": half})).sum())
    assert_close(some, gradients(policy, (policy.log_prob(rows) * half).sum()), atol=1e-11, rtol=0)
    assert some["model.lm_head.weight"].any()
    nothing = policy.log_prob(Rollouts(**{**vars(rows), "mask": torch.zeros_like(half)}))
    assert not nothing.any()
    assert all(not g.any() for g in gradients(policy, nothing.sum()).values())


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
def test_padding_changes_nothing(told):
    policy = build(critic=True, value_trains_trunk=True, **told)
    torch.nn.init.constant_(policy.value_head.weight, 0.3)
    short = policy.with_sampling(max_new_tokens=3).sample(PROMPTS[1:2], group=2, seed=1)
    long = policy.sample(PROMPTS[2:3], group=2, seed=1)
    assert short.trace["prompt"].shape[1] < long.trace["prompt"].shape[1]
    both = Rollouts.concat([short, long])
    for score in (policy.log_prob, policy.value, policy.loss_on):
        together = score(both)
        assert together.shape == (4, 12)
        assert_close(together[:2, :3], score(short), atol=1e-12, rtol=0)
        assert_close(together[2:], score(long), atol=1e-12, rtol=0)
        assert not together[:2, 3:].any()
        assert together[2:].any()
    assert_close(policy.log_prob(both[[3, 0]]), policy.log_prob(both)[[3, 0]], atol=1e-12, rtol=0)


def test_half_precision_is_scored_in_float32():
    policy = build(torch.bfloat16)
    rows = policy.sample(PROMPTS, group=2, seed=1)
    logp = policy.log_prob(rows)
    assert logp.dtype == rows.logp_old.dtype == torch.float32
    # bfloat16 keeps eight bits: two orders of summation differ in the second digit of a logit.
    assert (logp - rows.logp_old).abs().max() < 0.2
    assert (logp - naive(policy, rows, 1.0)).abs().max() < 0.2


def test_the_value_is_read_before_each_decision():
    policy = build(critic=True)
    rows = policy.sample(PROMPTS, group=2, seed=1)
    assert not policy.value(rows).any()
    assert isinstance(policy, HasValue)
    with torch.no_grad():
        policy.value_head.weight.copy_(torch.linspace(-1, 1, 32)[None])
        policy.value_head.bias.fill_(0.25)
    values = policy.value(rows)
    assert not values[~rows.mask].any()
    for i in (0, 3, 5):
        start, length = int(rows.trace["prompt_length"][i]), int(rows.mask[i].sum())
        whole = torch.cat([rows.trace["prompt"][i, :start], rows.trace["completion"][i, :length]])
        hidden = policy.causal.model(whole[None]).last_hidden_state[0, start - 1 : -1]
        assert_close(values[i, :length], hidden @ policy.value_head.weight[0] + 0.25, atol=1e-12, rtol=0)
    assert values[rows.mask].std() > 0.1


def test_the_value_loss_trains_the_head_alone_unless_asked():
    for trunk in (False, True):
        policy = build(critic=True, value_trains_trunk=trunk)
        torch.nn.init.constant_(policy.value_head.weight, 0.3)
        found = gradients(policy, policy.value(policy.sample(PROMPTS, 2, 1)).sum())
        assert found.pop("value_head.weight").any()
        assert found.pop("value_head.bias").any()
        assert bool(found) == trunk
        assert [weight.shape for weight in policy.value_parameters()] == [(1, 32), (1,)]
    assert build(torch.bfloat16, critic=True).value_head.weight.dtype == torch.float32


def test_without_a_critic_there_is_no_value():
    policy = build()
    assert list(policy.value_parameters()) == []
    with pytest.raises(UserError, match="critic=True"):
        policy.value(policy.sample(PROMPTS, 1, 0))


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
def test_demonstrations_are_the_answers(told):
    policy = build(**told)
    rows = policy.demonstrate(PROMPTS, seed=0)
    assert [str(text) for text in rows.outputs] == ["cba", "h", "abcdefg", "cc"]
    assert rows.trace["completion"][0].tolist() == [5, 4, 3, 2, 0, 0, 0, 0]
    assert rows.mask.sum(1).tolist() == [4, 2, 8, 3]
    assert rows.group == 1
    loss = policy.loss_on(rows)
    bare = Rollouts(**{**vars(rows), "trace": {k: v for k, v in rows.trace.items() if k != "support"}})
    assert_close(-loss, naive(policy, bare, 1.0), atol=1e-12, rtol=0)
    assert_close(rows.logp_old, naive(policy, bare, policy.sampling.temperature), atol=1e-12, rtol=0)
    assert not rows.logp_old.requires_grad
    both = Rollouts.concat([policy.sample(PROMPTS, group=1, seed=0), rows])
    assert_close(policy.log_prob(both), both.logp_old, atol=1e-9, rtol=0)


def test_a_demonstration_needs_an_answer():
    with pytest.raises(UserError, match="problem 9 of sums/test has no answer"):
        build().demonstrate([Problem(9, "abc", task="sums", split="test")], seed=0)


def test_recomputed_activations_give_the_same_gradients():
    plain, saving = build(), build(gradient_checkpointing=True)
    rows = plain.sample(PROMPTS, group=2, seed=1)
    runs = []
    hook = saving.causal.model.layers[1].mlp.register_forward_pre_hook(lambda m, told: runs.append(told[0].shape))
    drawn = saving.sample(PROMPTS, group=2, seed=1)
    assert [text.tokens for text in drawn.outputs] == [text.tokens for text in rows.outputs]
    assert runs.pop()[1] == 1  # one token at a time: the cache was used
    runs.clear()
    expected = gradients(plain, plain.log_prob(rows).sum())
    assert_close(gradients(saving, saving.log_prob(rows).sum()), expected, atol=1e-12, rtol=0)
    assert len(runs) == 2
    hook.remove()


@pytest.mark.parametrize("recompute", [False, True])
def test_dropout_never_acts(recompute):
    from transformers import OPTConfig, OPTForCausalLM

    told = {"ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64}
    config = OPTConfig(vocab_size=11, hidden_size=32, word_embed_proj_dim=32, dropout=0.5, eos_token_id=2, **told)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = OPTForCausalLM(config)
    policy = Language(
        model, character_tokenizer("abcdefgh"), max_new_tokens=12, gradient_checkpointing=recompute
    ).train()
    assert policy.training
    rows = policy.sample(PROMPTS, group=2, seed=1)
    logp = policy.log_prob(rows)
    assert_close(logp, rows.logp_old, atol=5e-5, rtol=0)
    logp.sum().backward()
    assert policy.causal.lm_head.weight.grad.any()


def test_the_reference_stays_when_the_policy_moves():
    policy = build(critic=True)
    rows = policy.sample(PROMPTS, group=2, seed=1)
    reference = policy.reference()
    with torch.no_grad():
        for weight in policy.parameters():
            weight.mul_(1.05)
    assert (policy.log_prob(rows) - rows.logp_old).abs().max() > 0.01
    assert_close(reference.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert not reference.log_prob(rows).requires_grad
    assert not any(weight.requires_grad for weight in reference.parameters())
    assert [t.tokens for t in reference.sample(PROMPTS, 2, 1).outputs] == [t.tokens for t in rows.outputs]
    assert policy.log_prob(rows).requires_grad


def test_state_dict_round_trip():
    one, other = build(critic=True), build(critic=True)
    with torch.no_grad():
        for weight in one.parameters():
            weight.add_(0.01)
    rows = one.sample(PROMPTS, group=2, seed=1)
    assert (other.log_prob(rows) - rows.logp_old).abs().max() > 0.01
    other.load_state_dict(one.state_dict())
    assert_close(other.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert other.value(rows).any()


def test_imitation_learns_its_answers():
    tokenizer = character_tokenizer("abcd")
    policy = Language(small_llama(len(tokenizer), width=32, layers=1, heads=2, context=16), tokenizer, max_new_tokens=4)
    words = [a + b for a in "abcd" for b in "abcd"]
    problems = [Problem(i, word, answer=word[::-1]) for i, word in enumerate(words)]
    state = torch.random.get_rng_state()
    losses = imitate(policy, lambda step: problems, steps=60, lr=1e-2)
    assert torch.random.get_rng_state().equal(state)
    assert losses[0] > 1.5
    assert losses[-1] < 0.1
    # The rate falls to 0: no late step undoes the ones before it.
    assert all(later < before + 1e-3 for before, later in pairwise(losses[-10:]))
    greedy = policy.with_sampling(temperature=0.0).sample(problems, 1, 0)
    assert [str(text) for text in greedy.outputs] == [word[::-1] for word in words]
    assert not any(text.truncated for text in greedy.outputs)
