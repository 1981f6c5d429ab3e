"""Language goes on from the middle of a row: its exact conditional distribution, tokens as they are, limits, ends."""

import pytest
import torch
from torch.testing import assert_close

from rlft.noise import branch_keys, uniform
from rlft.policies.language.tokens import sampling as _sampling
from rlft.types import Problem, Rollouts, UserError
from tests.policies.language.engines.test_choose_architectures import PROMPTS as LETTERS
from tests.policies.language.engines.test_choose_architectures import build as architecture
from tests.policies.language.test_policy import CUT, PROMPTS, build, chi_square, ending_with, full_logits


def test_pairs_of_tokens_after_a_cut_have_the_model_s_probability():
    """The whole distribution of what follows a cut, by enumeration; from 0 it is that of a new row."""
    policy = ending_with(build(max_new_tokens=4, spread=8.0), 2)
    rows = policy.sample(PROMPTS[:1], group=8, seed=1)
    rows = rows[[next(i for i, text in enumerate(rows.outputs) if len(text.tokens) == 4)]]
    width, count = len(policy.tokenizer), 6000
    found = []
    for at in (0, 2):
        branches = policy.resume(rows, torch.tensor([at]), count, seed=4)
        begun = [*policy.tokenizer("abc")["input_ids"], *rows.outputs[0].tokens[:at]]
        first = full_logits(policy, begun).softmax(-1)
        exact = torch.stack([first[k] * full_logits(policy, [*begun, k]).softmax(-1) for k in range(width)])
        exact[2] = 0
        exact[2, 0] = first[2]  # a row that ended has no second token, and padding is 0
        pairs = branches.trace["completion"][:, at : at + 2]
        counts = torch.bincount(pairs[:, 0] * width + pairs[:, 1], minlength=width**2).double()
        statistic, limit = chi_square(counts, exact.flatten() * count)
        assert statistic < limit
        found.append(counts / count)
    assert (found[0] - found[1]).abs().sum() > 0.5  # the two cuts are followed by different things


@pytest.mark.parametrize("told", [{}, CUT, {"temperature": 1.3}], ids=["plain", "cut", "warm"])
def test_each_token_is_the_inverse_cdf_of_its_own_noise(told):
    """Token by token against full forwards; noise is counted from the row's beginning, not from the cut."""
    policy = build(**told)
    rows = policy.sample(PROMPTS, group=2, seed=11)
    at = torch.tensor([len(text.tokens) * (i % 4) // 4 for i, text in enumerate(rows.outputs)])
    branches = policy.resume(rows, at, 3, seed=6)
    u = uniform(branch_keys(rows.problems, at, 3, 6), 12)
    checked = 0
    for i, text in enumerate(branches.outputs):
        prompt = policy.tokenizer(PROMPTS[i // 6].input)["input_ids"]
        assert text.tokens[: at[i // 3]] == rows.outputs[i // 3].tokens[: at[i // 3]]
        for t in range(int(at[i // 3]), len(text.tokens)):
            scores = full_logits(policy, [*prompt, *text.tokens[:t]]) / policy.sampling.temperature
            if not policy.sampling.truncates:
                p = scores.softmax(-1)
                assert p[: text.tokens[t]].sum() < u[i, t] < p[: text.tokens[t] + 1].sum()
                assert_close(branches.logp_old[i, t], p[text.tokens[t]].log(), atol=1e-9, rtol=0)
            checked += 1
    assert checked > 40
    assert_close(policy.log_prob(branches).detach(), branches.logp_old, atol=1e-9, rtol=0)
    assert branches.mask.sum() == checked
    assert set(branches.trace) == set(rows.trace)
    for name in branches.trace.keys() - {"prompt", "prompt_length"}:
        for i in range(len(branches)):
            cut = int(at[i // 3])
            assert torch.equal(branches.trace[name][i, :cut], rows.trace[name][i // 3, :cut])


def test_rows_of_a_forward_pass_change_nothing():
    policy = build(**CUT)
    rows = policy.sample(PROMPTS, group=2, seed=3)
    at = torch.tensor([len(text.tokens) * (i % 3) // 3 for i, text in enumerate(rows.outputs)])
    whole = policy.resume(rows, at, 3, seed=1)
    policy.rows = 4  # slices that split groups, and reach different lengths
    cut = policy.resume(rows, at, 3, seed=1)
    assert [text.tokens for text in cut.outputs] == [text.tokens for text in whole.outputs]
    assert_close(cut.logp_old, whole.logp_old, atol=1e-9, rtol=0)
    assert torch.equal(cut.trace["support"], whole.trace["support"])


def test_prompt_and_kept_tokens_are_read_once_for_their_group(monkeypatch):
    policy, read = build(), []
    rows = policy.sample(PROMPTS[:2], group=1, seed=3)
    policy.resume(rows, torch.tensor([2, 1]), 5, seed=1)
    new = policy.engine.decoder

    def spied(sight):
        decoder = new(sight)
        start = decoder.start
        decoder.start = lambda tokens, lengths, room: (
            read.append((tokens.tolist(), lengths, room)) or start(tokens, lengths, room)
        )
        return decoder

    monkeypatch.setattr(policy.engine, "decoder", spied)
    policy.resume(rows, torch.tensor([2, 1]), 5, seed=1)
    kept = [list(row.tokens[:at]) for row, at in zip(rows.outputs, (2, 1), strict=True)]
    prompts = [policy.tokenizer(problem.input)["input_ids"] for problem in PROMPTS[:2]]
    begun = [prompt + row for prompt, row in zip(prompts, kept, strict=True)]
    assert read == [([[*row, *[0] * (6 - len(row))] for row in begun], [6, 3], 11)]


def test_tokens_are_never_tokenised_again():
    """Kept tokens that text would be cut into otherwise: special ones vanish from the text."""
    policy = build()
    rows = policy.sample(PROMPTS[:1], group=1, seed=3)
    rows.trace["completion"][0, :3] = torch.tensor([1, 0, 5])
    branch = policy.resume(rows, torch.tensor([3]), 1, seed=0).outputs[0]
    assert branch.tokens[:3] == (1, 0, 5)
    assert str(branch).startswith("c")


def test_a_row_that_has_ended_stays_as_it_is():
    """By its end token, by the limit, or by a stop string in what was kept."""
    policy = ending_with(build(), 2)
    rows = policy.sample(PROMPTS, group=8, seed=2)
    length = torch.tensor([len(text.tokens) for text in rows.outputs])
    assert {text.truncated for text in rows.outputs} == {True, False}
    branches = policy.resume(rows, length, 2, seed=1)
    for i, text in enumerate(branches.outputs):
        parent = rows.outputs[i // 2]
        assert (str(text), text.tokens, text.truncated) == (str(parent), parent.tokens, parent.truncated)
    assert not branches.mask.any()
    assert torch.equal(branches.trace["completion"][::2], rows.trace["completion"])
    # one decision short of the limit there is one left
    full = rows[[i for i, text in enumerate(rows.outputs) if text.truncated]]
    last = policy.resume(full, torch.full((len(full),), 11), 3, seed=1)
    assert torch.equal(last.mask.sum(1), torch.ones(len(last), dtype=torch.long))
    assert last.mask[:, 11].all()
    assert len(last.trace["completion"][:, 11].unique()) > 1


def test_stop_strings_across_and_before_the_cut():
    free = build()
    rows = free.sample(PROMPTS, group=6, seed=4)
    bound = build(stop=["ab", "c"])
    texts = [str(text) for text in rows.outputs]
    at = torch.tensor([min(4, len(text.tokens)) for text in rows.outputs])
    branches = bound.resume(rows, at, 2, seed=1)
    before = across = 0
    for i, text in enumerate(branches.outputs):
        tokens, cut = rows.outputs[i // 2].tokens, int(at[i // 2])
        begun = free.tokenizer.decode(list(tokens[:cut]), skip_special_tokens=True)
        if "ab" in begun or "c" in begun:
            assert text.tokens == tokens[:cut]
            assert not text.truncated
            before += 1
        elif text.tokens[cut:]:
            whole = free.tokenizer.decode(list(text.tokens), skip_special_tokens=True)
            assert "ab" not in whole[:-1]
            assert "c" not in whole[:-1]
            across += begun.endswith("a") and whole == begun + "b"
        assert "ab" not in str(text)
    assert before > 2
    assert across > 0
    assert len(set(texts)) > 10


def test_a_demonstration_is_gone_on_from():
    """Also one that is longer than the policy's rows may be, which leaves nothing to decide."""
    policy = build(max_new_tokens=4)
    problems = [Problem(0, "ab", answer="cdefgh"), Problem(1, "c", answer="de")]
    taught = policy.demonstrate(problems, seed=0)
    branches = policy.resume(taught, torch.tensor([6, 1]), 2, seed=3)
    assert str(branches.outputs[0]) == "cdefgh"
    assert not branches.mask[:2].any()
    assert branches.mask[2:].sum(1).min() > 0
    assert {text.tokens[0] for text in branches.outputs[2:]} == {taught.outputs[1].tokens[0]}
    assert max(len(text.tokens) for text in branches.outputs[2:]) <= 4
    assert_close(policy.log_prob(branches).detach(), branches.logp_old, atol=1e-9, rtol=0)
    assert_close(Rollouts.concat([branches, branches]).logp_old[:4], branches.logp_old, atol=0, rtol=0)


def test_greedy_rows_go_on_greedily():
    greedy = build(temperature=0.0)
    rows = build().sample(PROMPTS, group=1, seed=3)
    branches = greedy.resume(rows, torch.ones(4, dtype=torch.long), 2, seed=1)
    assert not branches.mask.any()
    for i, text in enumerate(branches.outputs):
        prompt = greedy.tokenizer(PROMPTS[i // 2].input)["input_ids"]
        for t in range(1, len(text.tokens)):
            assert text.tokens[t] == full_logits(greedy, [*prompt, *text.tokens[:t]]).argmax()
    assert sum(len(text.tokens) for text in branches.outputs) > 12


@pytest.mark.filterwarnings("ignore:no cache reproduces")
@pytest.mark.parametrize("kind", ["gpt2", "mistral", "mamba", "bloom", "rwkv"])
def test_architectures_whose_places_are_numbered(kind, monkeypatch):
    """A context that rows fill to its last place, cut at different places: none may reach past it."""
    monkeypatch.setattr(_sampling, "_KEEP", 0.0)  # no row is left behind for speed
    policy = architecture(kind, max_new_tokens=56)
    rows = policy.sample(LETTERS, group=2, seed=3)
    at = torch.tensor([len(text.tokens) * i // 6 for i, text in enumerate(rows.outputs)])
    branches = policy.resume(rows, at, 2, seed=6)
    assert int(rows.trace["prompt_length"].max()) + 56 == 64
    assert branches.mask.any(1).sum() >= 10
    assert_close(policy.log_prob(branches).detach(), branches.logp_old, atol=5e-4, rtol=0)


def test_a_context_that_is_too_short_is_refused():
    policy = build()
    rows = policy.sample(PROMPTS, group=1, seed=3)
    with pytest.raises(UserError, match=r"prompt of 8 tokens and 60 new ones do not fit"):
        policy.with_sampling(max_new_tokens=60).resume(rows, torch.zeros(4, dtype=torch.long), 1, 0)
