"""Language: what is drawn, from what, with which noise, and that it does not depend on the batch."""

import math
import warnings

import pytest
import torch
from torch.testing import assert_close

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.noise import row_keys, uniform
from rlft.policies.language.engines.choose import Lean, Plain
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.sampling import Sampling, draw, pack, support_of, unpack
from rlft.types import HasReference, Policy, Problem, Teachable, UserError

LETTERS = "abcdefgh"
PROMPTS = [Problem(i, text) for i, text in enumerate(["abc", "h", "gfedcba", "cc"])]
CUT = {"temperature": 0.7, "top_p": 0.9, "top_k": 5}


def build(dtype=torch.float64, seed=0, spread=10.0, **told) -> Language:
    """A random Llama whose next-token distributions are far from uniform."""
    tokenizer = character_tokenizer(LETTERS)
    model = small_llama(len(tokenizer), width=32, layers=2, heads=4, context=64, seed=seed).to(dtype)
    with torch.no_grad():
        model.lm_head.weight.mul_(spread)
    return Language(model, tokenizer, **{"max_new_tokens": 12, **told})


def ending_with(policy: Language, *ids: int) -> Language:
    policy.causal.generation_config.eos_token_id = list(ids)
    return policy


def full_logits(policy: Language, tokens) -> torch.Tensor:
    with torch.no_grad():
        return policy.causal(torch.tensor([tokens])).logits[0, -1]


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 5e-5)])
def test_first_ratio_is_one(dtype, tolerance, told):
    policy = build(dtype, **told)
    rows = policy.sample(PROMPTS, group=6, seed=3)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=tolerance, rtol=0)
    lengths = rows.mask.sum(1)
    assert len(lengths.unique()) > 3
    assert rows.logp_old[rows.mask].std() > 0.3
    assert rows.logp_old.dtype == dtype
    if told:
        kept = unpack(rows.trace["support"], len(policy.tokenizer)).sum(-1)[rows.mask]
        assert kept.min() < kept.max() == 5
        # Under the whole distribution the same tokens are less likely, so the cut was scored.
        assert (policy.with_sampling(top_p=1.0).log_prob(rows) - rows.logp_old).abs().max() < tolerance
        assert (-policy.loss_on(rows) - rows.logp_old).abs().max() > 0.3


def test_is_a_policy():
    policy = build()
    assert isinstance(policy, Policy)
    assert isinstance(policy, HasReference)
    assert isinstance(policy, Teachable)


def test_a_sample_is_its_own():
    policy = build(**CUT)
    rows = policy.sample(PROMPTS, group=3, seed=5)
    other = policy.sample([PROMPTS[i] for i in (2, 0, 3, 1)], group=3, seed=5)
    turned = [0 + 3, 1 + 3, 2 + 3, 9, 10, 11, 0, 1, 2, 6, 7, 8]  # where each row went
    for a, b in zip(rows.outputs, (other.outputs[i] for i in turned), strict=True):
        assert a.tokens == b.tokens
    assert_close(rows.logp_old, other.logp_old[turned], atol=1e-9, rtol=0)
    alone = policy.sample(PROMPTS[2:3], group=3, seed=5)
    assert [text.tokens for text in alone.outputs] == [text.tokens for text in rows.outputs[6:9]]
    policy.rows = 5  # slices that split groups
    assert [text.tokens for text in policy.sample(PROMPTS, 3, 5).outputs] == [text.tokens for text in rows.outputs]
    # And it does depend on the seed, the number in the group, and the visit.
    assert len({text.tokens for text in rows.outputs}) > 8
    assert [text.tokens for text in policy.sample(PROMPTS, 3, 6).outputs] != [text.tokens for text in rows.outputs]


def test_each_token_is_the_inverse_cdf_of_its_own_noise():
    """Token by token against full forwards and a cumulative sum written out here."""
    policy = build(temperature=1.3)
    rows = policy.sample(PROMPTS, group=2, seed=11)
    u = uniform(row_keys(PROMPTS, 2, 11), 12)
    drawn = 0
    for i, text in enumerate(rows.outputs):
        prompt = policy.tokenizer(PROMPTS[i // 2].input)["input_ids"]
        for t, token in enumerate(text.tokens):
            p = (full_logits(policy, [*prompt, *text.tokens[:t]]) / 1.3).softmax(-1)
            assert p[:token].sum() < u[i, t] < p[: token + 1].sum()
            assert_close(rows.logp_old[i, t], p[token].log(), atol=1e-9, rtol=0)
            drawn += 1
    assert drawn > 40


def chi_square(counts, expected):
    """Pearson's statistic against (mean + 5 deviations) of its distribution, over cells that are expected at all."""
    live = expected > 0
    assert counts[~live].sum() == 0
    freedom = int(live.sum()) - 1
    return float(((counts - expected)[live] ** 2 / expected[live]).sum()), freedom + 5 * math.sqrt(2 * freedom)


def test_pairs_of_tokens_have_the_model_s_probability():
    policy = ending_with(build(max_new_tokens=2, spread=8.0), 2)
    rows = policy.sample(PROMPTS[:1], group=6000, seed=1)
    width = len(policy.tokenizer)
    prompt = policy.tokenizer("abc")["input_ids"]
    first = full_logits(policy, prompt).softmax(-1)
    exact = torch.stack([first[k] * full_logits(policy, [*prompt, k]).softmax(-1) for k in range(width)])
    exact[2] = 0
    exact[2, 0] = first[2]  # a row that ended has no second token, and padding is 0
    pairs = rows.trace["completion"]
    counts = torch.bincount(pairs[:, 0] * width + pairs[:, 1], minlength=width**2)
    statistic, limit = chi_square(counts.double(), exact.flatten() * 6000)
    assert statistic < limit
    assert first.max() < 0.6
    assert first[2] > 0.005


@pytest.mark.parametrize(("top_k", "top_p", "size"), [(3, 1.0, 3), (0, 0.8, None), (4, 0.7, None)])
def test_cut_distributions_are_renormalised(top_k, top_p, size):
    policy = build(max_new_tokens=1, temperature=0.9, top_k=top_k, top_p=top_p, spread=8.0)
    rows = policy.sample(PROMPTS[1:2], group=4000, seed=2)
    p = (full_logits(policy, policy.tokenizer("h")["input_ids"]) / 0.9).softmax(-1)
    ranked = sorted(range(len(p)), key=lambda k: -p[k])[: top_k or None]
    mass, held = float(sum(p[k] for k in ranked)), []
    for k in ranked:
        held.append(k)
        if float(sum(p[j] for j in held)) / mass >= top_p:
            break
    assert len(held) == (size or len(held))
    assert 1 < len(held) < len(p)
    exact = torch.zeros_like(p)
    exact[held] = p[held] / p[held].sum()
    statistic, limit = chi_square(rows.trace["completion"][:, 0].bincount(minlength=len(p)).double(), exact * 4000)
    assert statistic < limit
    assert_close(rows.logp_old[:, 0], exact[rows.trace["completion"][:, 0]].log(), atol=1e-9, rtol=0)


def test_support_by_hand():
    # masses .5 .3 .15 .05, in another order
    scores = torch.tensor([[0.3, 0.05, 0.5, 0.15]]).log()
    assert support_of(scores, 0, 0.8 - 1e-6).tolist() == [[True, False, True, False]]
    assert support_of(scores, 0, 0.8 + 1e-6).tolist() == [[True, False, True, True]]
    assert support_of(scores, 0, 1e-6).tolist() == [[False, False, True, False]]
    # the two most likely are .625 and .375 of what is left: .6 needs one, .7 both
    assert support_of(scores, 2, 0.6).tolist() == [[False, False, True, False]]
    assert support_of(scores, 2, 0.7).tolist() == [[True, False, True, False]]
    assert support_of(scores, 9, 1.0).all()


def test_draw_by_hand():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().repeat(5, 1)
    u = torch.tensor([0.05, 0.15, 0.59, 0.61, 1.0], dtype=torch.float64)
    token, logp, support = draw(logits, u, Sampling())
    assert token.tolist() == [0, 1, 2, 3, 3]
    assert_close(logp.exp(), torch.tensor([0.1, 0.2, 0.3, 0.4, 0.4]))
    assert support is None
    # top_k = 2 leaves .3 and .4, renormalised 3/7 and 4/7 = .4286 and .5714
    token, logp, support = draw(logits, u, Sampling(top_k=2))
    assert token.tolist() == [2, 2, 3, 3, 3]
    assert_close(logp.exp(), torch.tensor([3, 3, 4, 4, 4]) / 7)
    assert support is not None
    assert support.tolist() == [[0b1100]] * 5


def test_packed_bits():
    bits = torch.zeros(2, 11, dtype=torch.bool)
    bits[0, [0, 3, 10]] = True
    bits[1, 8] = True
    assert pack(bits).tolist() == [[9, 4], [0, 1]]
    assert unpack(pack(bits), 11).equal(bits)


def test_greedy_rows_are_the_argmax_and_no_decision():
    policy = build(temperature=0.0, top_p=0.5)
    rows = policy.sample(PROMPTS, group=2, seed=0)
    assert not rows.mask.any()
    assert not rows.logp_old.any()
    assert "support" not in rows.trace
    for i, text in enumerate(rows.outputs):
        prompt = policy.tokenizer(PROMPTS[i // 2].input)["input_ids"]
        for t, token in enumerate(text.tokens):
            assert token == full_logits(policy, [*prompt, *text.tokens[:t]]).argmax()
    assert not policy.log_prob(rows).any()


def test_a_row_ends_with_any_of_its_end_tokens():
    policy = build()
    everything = ending_with(policy, *range(len(policy.tokenizer))).sample(PROMPTS, group=4, seed=1)
    assert everything.mask.sum(1).tolist() == [1] * 16
    assert not any(text.truncated for text in everything.outputs)
    assert all(len(text.tokens) == 1 for text in everything.outputs)
    assert_close(policy.log_prob(everything), everything.logp_old, atol=1e-9, rtol=0)
    some = ending_with(policy, 5, 7).with_sampling(max_new_tokens=4).sample(PROMPTS, group=20, seed=1)
    assert {2, 5, 7} >= {text.tokens[-1] for text in some.outputs if not text.truncated} > {7}
    for text, mask in zip(some.outputs, some.mask, strict=True):
        assert mask.sum() == len(text.tokens)
        assert not {2, 5, 7} & set(text.tokens[:-1])
        assert text.truncated == (len(text.tokens) == 4 and text.tokens[-1] not in (2, 5, 7))
    assert any(text.truncated for text in some.outputs)


def test_stop_strings_end_a_row_at_the_token_that_completes_them():
    words = ["be", "ff"]
    free, bound = build(), build(stop=words)
    before, after = free.sample(PROMPTS, group=8, seed=4), bound.sample(PROMPTS, group=8, seed=4)
    stopped = 0
    for long, short in zip(before.outputs, after.outputs, strict=True):
        assert short.tokens == long.tokens[: len(short.tokens)]
        found = [long.index(word) for word in words if word in long]
        if found:
            stopped += 1
            assert str(short) == long[: min(found)]
            assert not short.truncated
            holds = [any(word in free.codec.text(short.tokens[:n], False) for word in words) for n in range(13)]
            assert holds.index(True) == len(short.tokens)
        else:
            assert short == long
            assert (short.tokens, short.truncated) == (long.tokens, long.truncated)
    assert 4 < stopped < 28
    assert after.mask.sum() < before.mask.sum() - 20
    assert_close(bound.log_prob(after), after.logp_old, atol=1e-9, rtol=0)


def sizes_of_forwards(policy: Language, group: int) -> list[tuple[int, int]]:
    seen = []
    hook = policy.causal.get_input_embeddings().register_forward_hook(lambda m, told, out: seen.append(told[0].shape))
    rows = policy.sample(PROMPTS, group, seed=3)
    hook.remove()
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    return [tuple(shape) for shape in seen]


@pytest.mark.parametrize(("engine", "prompts"), [(Plain, (4, 8)), (Lean, (4 + 2 + 8 + 3,))])
def test_prompts_are_read_once_and_ended_rows_are_dropped(engine, prompts):
    policy = build(engine=engine)
    policy.sample(PROMPTS, 1, 0)  # the trial is over
    shapes = sizes_of_forwards(policy, group=6)
    assert shapes[0] == prompts  # Lean reads them without padding
    counts = [n for n, *width in shapes[1:] if width in ([], [1])]
    assert counts[0] > 15
    assert counts[-1] < 12
    assert counts == sorted(counts, reverse=True)


def test_sampling_touches_no_global_randomness():
    state = torch.random.get_rng_state()
    policy = build(critic=True)
    policy.sample(PROMPTS, 2, 0)
    assert torch.random.get_rng_state().equal(state)


def test_a_diverged_model_says_so():
    policy, fresh = build(), build()
    policy.sample(PROMPTS, 2, 0)
    for diverged in (policy, fresh):
        with torch.no_grad():
            diverged.causal.lm_head.weight[4] = math.nan
        with pytest.raises(FloatingPointError, match="diverged"):
            diverged.sample(PROMPTS, 2, 0)


def test_another_sampling_shares_the_weights():
    policy = build()
    longer = policy.with_sampling(max_new_tokens=20, temperature=0.5)
    assert longer.sample(PROMPTS, 2, 0).mask.shape == (8, 20)
    assert policy.sample(PROMPTS, 2, 0).mask.shape == (8, 12)
    assert longer.causal is policy.causal
    assert longer.sampling == Sampling(20, 0.5)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_k": -1}, "top_k is -1"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"stop": "ab"}, "not a list"),
        ({"stop": ["a", ""]}, "not empty"),
    ],
)
def test_impossible_sampling_is_refused(told, said):
    with pytest.raises(UserError, match=said):
        build(**told)


def test_every_warning_is_ours():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build().sample(PROMPTS, 2, 0)
