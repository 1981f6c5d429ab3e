"""Speculative sampling draws from the policy's own distribution, whatever drafts, with the calls it promises."""

import math

import pytest
import torch
from torch.testing import assert_close

from rlft.policies.composed.mixed import mixed
from rlft.policies.language import blocks as _blocks
from rlft.policies.language.blocks import Cached, Rereads, reading
from rlft.policies.language.enumeration import every_row
from rlft.policies.language.speculative import Speculative, chosen, residual
from rlft.policies.mix import emulated, guided
from rlft.types import Policy, Problem, UserError
from tests.policies.composed.test_mixed_language import PROMPT, by_row, tiny
from tests.policies.language.test_policy import CUT, PROMPTS, build


def emulation(**told):
    large, tuned, reference = (build(seed=seed, spread=5.0, **told) for seed in range(3))
    return mixed(emulated(large, tuned, reference, 0.7)), tuned


def told_apart(rows, listed, probabilities):
    """Pearson's statistic of drawn rows against the probability of each row there is, and its degrees of freedom.

    Rows expected less than five times share a cell.
    """
    place = {tuple(tokens): i for i, tokens in enumerate(own_tokens(listed))}
    counts = torch.zeros(len(place), dtype=torch.float64)
    for tokens in own_tokens(rows):
        counts[place[tuple(tokens)]] += 1
    expected = probabilities * len(rows)
    rare = expected < 5
    counts = torch.cat([counts[~rare], counts[rare].sum()[None]])
    expected = torch.cat([expected[~rare], expected[rare].sum()[None]])
    return float(((counts - expected).square() / expected).sum()), len(expected) - 1


def own_tokens(rows):
    return [row[mask].tolist() for row, mask in zip(rows.trace["completion"], rows.mask, strict=True)]


@pytest.mark.parametrize("ahead", [1, 3])
def test_rows_have_the_policys_distribution(ahead):
    """Chi-square against every row of three tokens. Drawn from the draft alone the statistic is far off."""
    large, tuned, reference = (tiny(seed, length=3) for seed in range(3))
    policy = mixed(emulated(large, tuned, reference))
    listed = every_row(policy, PROMPT)
    p, q = by_row(policy, listed), by_row(tuned, listed)
    sampler = Speculative(policy, tuned, ahead)
    rows = sampler.sample([PROMPT], 5000, seed=5)
    statistic, freedom = told_apart(rows, listed, p)
    assert freedom > 15
    # Six standard deviations of the statistic, which has mean `freedom` and variance twice that.
    assert statistic < freedom + 6 * math.sqrt(2 * freedom)
    wrong, _ = told_apart(rows, listed, q.clamp(min=1e-9))
    assert wrong > 100 * freedom
    assert 0.1 < sampler.tally.rate < 0.9


def test_the_acceptance_rate_is_one_minus_the_total_variation():
    """Of three tokens the second is the one that is drafted; given the first, it stays with 1 - TV(q, p)."""
    large, tuned, reference = (tiny(seed, length=3) for seed in range(3))
    policy = mixed(emulated(large, tuned, reference))
    sampler = Speculative(policy, tuned, 1)
    sampler.sample([PROMPT], 5000, seed=2)
    assert sampler.tally.tested > 2500
    read = policy.sample([PROMPT], 1, seed=0).trace["prompt"][0]
    end = int(policy.ends[0])
    with torch.no_grad():
        first = policy.causal(read[None]).logits[0, -1].softmax(-1)
        going = [token for token in range(len(first)) if token != end]
        after = torch.stack([torch.cat([read, torch.tensor([token])]) for token in going])
        p, q = (m.causal(after).logits[:, -1].softmax(-1) for m in (policy, tuned))
    stays = torch.minimum(p, q).sum(-1)
    expected = float((first[going] * stays).sum() / first[going].sum())
    assert 0.1 < expected < 0.9
    deviation = math.sqrt(expected * (1 - expected) / sampler.tally.tested)
    assert abs(sampler.tally.rate - expected) < 5 * deviation


@pytest.mark.parametrize("told", [{}, CUT], ids=["plain", "cut"])
@pytest.mark.parametrize("ahead", [0, 2])
def test_first_ratio_is_one(ahead, told):
    policy, draft = emulation()
    policy = policy.with_sampling(**told)
    sampler = Speculative(policy, draft, ahead)
    assert isinstance(sampler, Policy)
    rows = sampler.sample(PROMPTS, 6, seed=3)
    assert_close(sampler.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    assert len(rows.mask.sum(1).unique()) > 3
    assert ("support" in rows.trace) == bool(told)


def test_greedy_is_the_same_greedy():
    policy, draft = emulation()
    policy, sampler = (each.with_sampling(temperature=0.0) for each in (policy, policy))
    sampler = Speculative(sampler, draft, 3)
    ours, theirs = (each.sample(PROMPTS, 1, seed=0) for each in (sampler, policy))
    assert [str(text) for text in ours.outputs] == [str(text) for text in theirs.outputs]
    assert not ours.mask.any()
    assert [str(text) for text in draft.with_sampling(temperature=0.0).sample(PROMPTS, 1, 0).outputs] != [
        str(text) for text in ours.outputs
    ]


def test_a_row_is_the_same_whoever_draws_it():
    policy, draft = emulation()
    sampler = Speculative(policy, draft, 3)
    together = sampler.sample(PROMPTS, 5, seed=3)
    alone = sampler.sample(PROMPTS[2:3], 3, seed=3)
    policy.rows = 4
    in_parts = sampler.sample(PROMPTS, 5, seed=3)
    width = alone.mask.shape[1]
    assert torch.equal(together.trace["completion"][10:13, :width], alone.trace["completion"])
    assert_close(together.logp_old[10:13, :width], alone.logp_old, atol=1e-9, rtol=0)
    assert torch.equal(together.trace["completion"], in_parts.trace["completion"])
    assert not torch.equal(together.logp_old[0], together.logp_old[1])
    assert not torch.equal(
        sampler.sample(PROMPTS, 5, seed=4).trace["completion"][:, 0], together.trace["completion"][:, 0]
    )


def test_a_perfect_draft_is_always_kept_and_saves_calls():
    """n tokens in ⌈(n - 1)/(ahead + 1)⌉ rounds after the first; each is one call of everything but the draft."""
    policy = build(max_new_tokens=12)
    policy.causal.generation_config.eos_token_id = None
    policy.codec.tokenizer.eos_token = "<pad>"
    sampler = Speculative(policy, build(), ahead=3)
    sampler.sample(PROMPTS[:1], 1, seed=1)
    assert sampler.tally.rate == 1.0
    assert sampler.tally.rounds == 3


def test_members_of_the_mix_are_not_asked_twice():
    policy, draft = emulation()
    sampler = Speculative(policy, draft, 2)
    sampler.sample(PROMPTS, 2, seed=0)
    assert sampler.models.own == [True, False, False]
    assert len(sampler.models.ways) == 3
    calls = dict.fromkeys(("draft", "large"), 0)
    for name, model in (("draft", sampler.draft[0].causal), ("large", policy.causal.base_model.members[1])):
        model.register_forward_pre_hook(lambda *_, name=name: calls.update({name: calls[name] + 1}))
    sampler.tally.rounds = 0
    sampler.sample(PROMPTS, 2, seed=0)
    assert calls["large"] == 1 + sampler.tally.rounds
    # one call a drafted token, and one to read the last of them; drafts get shorter towards the limit
    assert 2 * sampler.tally.rounds < calls["draft"] - 1 <= 3 * sampler.tally.rounds
    stranger = Speculative(policy, build(seed=7, spread=5.0), 2)
    stranger.sample(PROMPTS, 2, seed=0)
    assert stranger.models.own == [False, False, False]


def test_stop_strings_end_rows():
    policy, draft = emulation(stop=["c"])
    rows = Speculative(policy, draft, 3).sample(PROMPTS, 8, seed=0)
    texts = [policy.codec.tokenizer.decode(output.tokens) for output in rows.outputs]
    assert sum("c" in text for text in texts) > 3
    assert all(text.index("c") == len(text) - 1 for text in texts if "c" in text)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)


def test_a_draft_of_the_same_vocabulary():
    with pytest.raises(UserError, match="different vocabularies"):
        Speculative(tiny(0), tiny(1, letters="ac"))
    with pytest.raises(UserError, match="0 tokens or more"):
        Speculative(tiny(0), tiny(1), ahead=-1)
    # one whose matrix has been rounded up is cut to the policy's tokens, and a narrower one drafts the tokens it has
    for policy, draft in (
        (tiny(0, length=3), tiny(1, length=3, extra=3)),
        (tiny(0, length=3, extra=3), tiny(1, length=3)),
    ):
        rows = Speculative(policy, draft, 2).sample([PROMPT], 50, seed=0)
        assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)


def test_residual_and_inverse_cdf_by_hand():
    p, q = torch.tensor([[0.5, 0.3, 0.2]]).log(), torch.tensor([[0.2, 0.7, 0.1]]).log()
    assert_close(residual(p, q), torch.tensor([[0.3, 0.0, 0.1]]), atol=1e-6, rtol=0)
    assert_close(residual(p, p), p.exp(), atol=0, rtol=0)
    u = torch.tensor([0.74, 0.76], dtype=torch.float64)
    assert chosen(residual(p, q).expand(2, -1), u).tolist() == [0, 2]


def test_a_cache_with_forgotten_tokens_reads_like_none():
    """Rows of different lengths that forget different numbers of tokens, twice, and change places."""
    model = build().causal

    def logits(reader):
        words = torch.arange(3, 11)
        found = [reader.start(torch.stack([words[:4], words[4:]]), [4, 2], room=20)]
        reader.keep(torch.tensor([0, 1, 1]))
        found += reader.read(words[:6].view(3, 2)).unbind()
        reader.back(2, torch.tensor([0, 1, 2]))
        found += reader.read(torch.stack([words[2:6], words[1:5], words[:4]])).unbind()
        reader.back(4, torch.tensor([1, 4, 2]))
        reader.keep(torch.tensor([2, 0]))
        return torch.cat([*found, *reader.read(words[:6].view(2, 3)).unbind()])

    with torch.no_grad():
        cached, plain = logits(Cached(model)), logits(Rereads(model))
    assert_close(cached, plain, atol=1e-10, rtol=0)
    assert plain.std() > 1


def test_a_model_without_such_a_cache_is_read_anew(monkeypatch):
    policy, draft = emulation(max_new_tokens=5)
    fast = Speculative(policy, draft, 2).sample(PROMPTS, 3, seed=0)
    assert reading(draft.causal).func is Cached
    monkeypatch.setattr(_blocks, "attends_to_everything", lambda model: False)
    assert reading(draft.causal).func is Rereads
    slow = Speculative(policy, draft, 2).sample(PROMPTS, 3, seed=0)
    assert torch.equal(fast.trace["completion"], slow.trace["completion"])
    assert_close(fast.logp_old, slow.logp_old, atol=1e-9, rtol=0)


def test_one_model_may_draft_for_another():
    """Without any mix: the plain speculative sampling."""
    policy, draft = build(seed=0), build(seed=1)
    rows = Speculative(policy, draft, 3).sample(PROMPTS, 3, seed=0)
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-9, rtol=0)
    problems = [Problem(0, "ab")]
    assert len(Speculative(mixed(guided(draft, policy, 1.0)), policy, 1).sample(problems, 2, 0)) == 2
