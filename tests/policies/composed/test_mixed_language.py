"""Mixed language models: exact where theory is, by enumeration; what is frozen; what is refused; folders."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.policies.composed.mixed import Early, OutsideTopP, mixed
from rlft.policies.language.enumeration import every_row, log_probs_of_rows
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.sampling import support_of
from rlft.policies.mix import contrasted, emulated, guided, traded_off
from rlft.types import Policy, Problem, UserError
from tests.fakes import Table
from tests.policies.language.test_policy import PROMPTS, build
from tests.policies.stepwise.toy_diffusion import small as denoiser

PROMPT = Problem(0, "ab")


def tiny(seed, width=16, layers=1, length=1, spread=10.0, letters="ab", extra=0):
    """A random model of few tokens, all of whose rows can be listed."""
    tokenizer = character_tokenizer(letters)
    model = small_llama(len(tokenizer) + extra, width=width, layers=layers, heads=2, context=16, seed=seed).double()
    with torch.no_grad():
        model.lm_head.weight.mul_(spread)
    return Language(model, tokenizer, max_new_tokens=length)


def leaning(policy, reward, beta):
    """The policy with reward/β added to the logits of every decision: in one decision, the optimum."""
    head = policy.causal.lm_head
    biased = nn.Linear(head.in_features, head.out_features, dtype=torch.float64)
    with torch.no_grad():
        biased.weight.copy_(head.weight)
        biased.bias.copy_(reward / beta)
    policy.causal.lm_head = biased
    return policy


def total_variation(one, other):
    return float((one - other).abs().sum() / 2)


def by_row(policy, rows):
    return log_probs_of_rows(policy, rows).exp()


def test_is_a_policy_with_first_ratio_one():
    large, tuned, reference = (build(seed=seed, spread=5.0, max_new_tokens=8) for seed in range(3))
    for alone, told in ((None, {}), (OutsideTopP(0.7), {"temperature": 0.7, "top_p": 0.9})):
        policy = mixed(emulated(large, tuned, reference, 0.7), alone=alone).with_sampling(**told)
        assert isinstance(policy, Policy)
        rows = policy.sample(PROMPTS, 4, seed=3)
        assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
        assert len(rows.mask.sum(1).unique()) > 3
        assert (large.log_prob(rows) - rows.logp_old)[rows.mask].abs().max() > 0.5


def test_equal_bases_give_the_tuned_model():
    reference, tuned = tiny(0, length=3), tiny(1, length=3)
    rows = every_row(tuned, PROMPT)
    assert len(rows) == 1 + 4 + 4 * 4 + 4**3
    assert_close(by_row(mixed(emulated(reference, tuned, reference)), rows), by_row(tuned, rows), atol=1e-12, rtol=0)
    # also where nobody can see that two of the three are the same
    twin = tiny(0, length=3)
    assert_close(by_row(mixed(emulated(twin, tuned, reference)), rows), by_row(tuned, rows), atol=1e-12, rtol=0)
    assert total_variation(by_row(tuned, rows), by_row(reference, rows)) > 0.2


def test_one_decision_is_the_exact_optimum_on_the_large_model():
    """If the small tuned model is p_small·exp(r/β)/Z, the emulated one is p_large·exp(r/β)/Z."""
    reward, beta = torch.tensor([0.5, -1.0, 2.0, 0.1, 0.7], dtype=torch.float64), 0.8
    large, small = tiny(0, width=32, layers=2), tiny(1)
    tuned = leaning(tiny(1), reward, beta)
    rows = every_row(large, PROMPT)
    base, gain = by_row(large, rows), reward[rows.trace["completion"][:, 0]]
    optimum = base * (gain / beta).exp() / (base * (gain / beta).exp()).sum()
    assert_close(by_row(mixed(emulated(large, tuned, small)), rows), optimum, atol=1e-12, rtol=0)
    half = base * (0.5 * gain / beta).exp() / (base * (0.5 * gain / beta).exp()).sum()
    assert_close(by_row(mixed(emulated(large, tuned, small, 0.5)), rows), half, atol=1e-12, rtol=0)
    assert total_variation(optimum, base) > 0.1
    assert total_variation(optimum, by_row(tuned, rows)) > 0.1


def test_tokens_and_whole_rows():
    """π_tokens(y) / π_rows(y) = Z / Π_t Z_t(y<t): normalised at each token, a mix is not the mix of whole rows."""
    members = [tiny(seed, length=3) for seed in (0, 1, 2)]
    policy = mixed(emulated(*members))
    rows = every_row(policy, PROMPT)
    signs = (1.0, 1.0, -1.0)
    unnormalised = sum(s * log_probs_of_rows(m, rows) for s, m in zip(signs, members, strict=True))
    z = unnormalised.exp().sum()
    steps = torch.zeros(len(rows), dtype=torch.float64)
    with torch.no_grad():
        for i, (tokens, count) in enumerate(zip(rows.trace["completion"], rows.mask.sum(1).tolist(), strict=True)):
            read = torch.cat([rows.trace["prompt"][0], tokens[: count - 1]])[None]
            logits = [m.causal(read).logits[0, -count:].log_softmax(-1) for m in members]
            steps[i] = sum(s * each for s, each in zip(signs, logits, strict=True)).logsumexp(-1).sum()
    by_tokens, by_rows = by_row(policy, rows), (unnormalised - z.log()).exp()
    assert_close(by_tokens / by_rows, (z.log() - steps).exp(), atol=1e-10, rtol=0)
    assert_close(by_tokens.sum(), torch.tensor(1.0, dtype=torch.float64), atol=1e-10, rtol=0)
    assert total_variation(by_tokens, by_rows) > 0.02
    one = mixed(emulated(*members)).with_sampling(max_new_tokens=1)
    short = every_row(one, PROMPT)
    first = sum(s * log_probs_of_rows(m, short) for s, m in zip(signs, members, strict=True)).softmax(0)
    assert_close(by_row(one, short), first, atol=1e-12, rtol=0)


def test_trading_off_ends_at_the_single_tunes():
    base, one, other = tiny(0, length=2), tiny(1, length=2), tiny(2, length=2)
    rows = every_row(base, PROMPT)

    def at(share):
        return by_row(mixed(traded_off(base, [(one, share), (other, 1 - share)])), rows)

    assert_close(at(1.0), by_row(one, rows), atol=1e-12, rtol=0)
    assert_close(at(0.0), by_row(other, rows), atol=1e-12, rtol=0)
    away = [total_variation(at(share), by_row(one, rows)) for share in (0.0, 0.3, 0.7, 1.0)]
    assert away == sorted(away, reverse=True)
    assert away[1] - away[2] > 0.02


def test_contrasting_and_guiding_by_hand():
    """One decision: the weighted sum of log-probabilities, normalised; temperature divides the sum."""
    expert, amateur = tiny(0), tiny(1)
    rows = every_row(expert, PROMPT)
    ours, theirs = log_probs_of_rows(expert, rows), log_probs_of_rows(amateur, rows)
    cold = mixed(contrasted(expert, amateur, 0.5)).with_sampling(temperature=0.5)
    assert_close(by_row(cold, rows), ((1.5 * ours - 0.5 * theirs) / 0.5).softmax(0), atol=1e-12, rtol=0)
    further = mixed(guided(amateur, expert, 1.7))
    assert_close(by_row(further, rows), (1.7 * ours - 0.7 * theirs).softmax(0), atol=1e-12, rtol=0)


def test_alone_outside_of_what_the_first_deems_likely():
    large, tuned, reference = tiny(0), tiny(1, spread=30.0), tiny(2)
    rows = every_row(large, PROMPT)
    of_l, of_t, of_r = (log_probs_of_rows(m, rows) for m in (large, tuned, reference))
    inside = support_of(of_t[None], 0, 0.8)[0]
    assert 1 <= int(inside.sum()) < len(inside)
    expected = torch.where(inside, of_l + of_t - of_r, of_t).softmax(0)
    careful = mixed(emulated(large, tuned, reference), alone=OutsideTopP(0.8))
    assert_close(by_row(careful, rows), expected, atol=1e-12, rtol=0)
    assert total_variation(expected, by_row(mixed(emulated(large, tuned, reference)), rows)) > 0.01


def test_only_what_is_to_be_trained_has_gradient():
    large, tuned, reference = build(seed=0), build(seed=1), build(seed=2)
    policy = mixed(emulated(large, tuned, reference), trained=[tuned])
    rows = policy.sample(PROMPTS, 2, seed=0)
    policy.log_prob(rows).sum().backward()
    learning = [p for p in policy.parameters() if p.requires_grad]
    assert {id(p) for p in learning} == {id(p) for p in tuned.parameters()}
    assert all(p.grad is not None and p.grad.any() for p in learning)
    assert all(p.requires_grad and p.grad is None for m in (large, reference) for p in m.parameters())


def test_frozen_members_follow_their_own_training():
    large, tuned = build(seed=0), build(seed=1)
    policy = mixed(guided(large, tuned, 0.5))
    rows = policy.sample(PROMPTS, 2, seed=0)
    with torch.no_grad():
        tuned.causal.lm_head.weight.mul_(-1.0)
    again = mixed(guided(large, tuned, 0.5))
    assert_close(policy.log_prob(rows), again.log_prob(rows), atol=1e-12, rtol=0)
    assert (policy.log_prob(rows) - rows.logp_old).abs().max() > 0.5


def test_a_folder_keeps_the_mix(tmp_path):
    large, tuned, reference = tiny(0, length=2), tiny(1, width=32, length=2), tiny(2, length=2)
    policy = mixed(emulated(large, tuned, reference, 1.5), trained=[large], alone=OutsideTopP(0.6))
    policy.save(tmp_path)
    loaded = Language.load(tmp_path, dtype="float64", max_new_tokens=2)
    rows = every_row(policy, PROMPT)
    assert_close(by_row(loaded, rows), by_row(policy, rows), atol=1e-12, rtol=0)
    assert [p.requires_grad for p in loaded.parameters()] == [p.requires_grad for p in policy.parameters()]
    assert 0 < sum(p.requires_grad for p in loaded.parameters()) < len(list(loaded.parameters()))


def test_adapters_are_members_like_others(tmp_path):
    pytest.importorskip("peft")
    tiny(0, length=2).save(tmp_path / "base")
    tuned = Language.load(tmp_path / "base", lora=2, dtype="float64", max_new_tokens=2)
    with torch.no_grad():
        for name, weight in tuned.model.named_parameters():
            if "lora_B" in name:
                weight.add_(0.3)
    base = tiny(0, length=2)
    policy = mixed(guided(base, tuned, 2.0), trained=[tuned])
    rows = every_row(base, PROMPT)
    assert total_variation(by_row(policy, rows), by_row(tuned, rows)) > 0.01
    assert total_variation(by_row(base, rows), by_row(tuned, rows)) > 0.01
    assert_close(policy.sample([PROMPT], 8, 0).logp_old.isfinite().all(), torch.tensor(True))
    assert {n for n, p in policy.named_parameters() if p.requires_grad} == {
        n for n, _ in policy.named_parameters() if "lora" in n
    }


def test_rows_for_padding_are_nobodys_tokens():
    """Models of one tokenizer whose matrices have been rounded up to different sizes."""
    even, padded = tiny(0, length=2), tiny(1, length=2, extra=3)
    policy = mixed(guided(even, padded, 0.5))
    rows = every_row(policy, PROMPT)
    assert int(rows.trace["completion"].max()) == 4
    first = policy.with_sampling(max_new_tokens=1)
    short = every_row(first, PROMPT)
    ids = short.trace["completion"][:, 0]
    with torch.no_grad():
        read = rows.trace["prompt"][:1]
        logits = [0.5 * m.causal(read).logits[0, -1, :5] for m in (even, padded)]
    assert_close(by_row(first, short), sum(logits).softmax(0)[ids], atol=1e-12, rtol=0)


def test_what_cannot_be_mixed():
    one, two = tiny(0), tiny(1)
    with pytest.raises(UserError, match=r"'b' is number 4 in one and none in the other"):
        mixed([(one, 1.0), (tiny(1, letters="ac"), 1.0)])
    with pytest.raises(UserError, match="different families do not add: Diffusion, Language"):
        mixed([(one, 1.0), (denoiser(), 1.0)])
    with pytest.raises(UserError, match="to be trained have no weight"):
        mixed(guided(one, two, 1.0), trained=[one])
    with pytest.raises(UserError, match="Table has no score to mix"):
        mixed([(Table(), 1.0)])
    with pytest.raises(UserError, match="for tokens there is OutsideTopP"):
        mixed([(one, 1.0)], alone=Early(0.5))
