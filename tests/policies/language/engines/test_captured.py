"""Decoding with shared prompts and with steps of fixed shape gives the tokens of the plain decoder."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close

from rlft.policies.language.engines import cache as _lean_cache
from rlft.policies.language.engines import captured as _captured
from rlft.policies.language.engines.cache import Cache, GrowingSlots, Seats
from rlft.policies.language.engines.captured import Captured, FixedSlots
from rlft.policies.language.engines.choose import Lean, Plain
from rlft.policies.language.policy import Language
from tests.policies.language.engines.test_choose_lean import CUT, EVEN, PROMPTS, TOKENIZER, causal
from tests.policies.language.exact_norms import exactly


@pytest.fixture(params=[True, False], ids=["shared", "copied"])
def shared(request, monkeypatch):
    """Prompts of any length are shared, or none is."""
    monkeypatch.setattr(_lean_cache, "_SAVED", 1 if request.param else 10**9)
    return request.param


def as_if_played(step, tokens):
    """What a CUDA graph is, on a CPU: the operations of one step on fixed buffers, and no Python between them."""
    given = tokens.clone()
    answer = step(given).clone()
    graph = make_fx(lambda given: step(given))(given)

    def play(tokens):
        given.copy_(tokens)
        return answer.copy_(graph(given))

    return play


def sampled(problems, engine, group=5, **told):
    policy = Language(exactly(causal()), TOKENIZER, engine=engine, max_new_tokens=12, **told)
    return policy, policy.sample(problems, group, seed=3)


@pytest.mark.parametrize(
    ("problems", "told"), [(PROMPTS, {}), (PROMPTS, CUT), (EVEN, CUT)], ids=["uneven", "uneven-cut", "even-cut"]
)
@pytest.mark.parametrize("played", [True, False])
def test_the_same_tokens(shared, played, problems, told, monkeypatch):
    monkeypatch.setattr(_captured, "_FIRST", 4)  # several stages
    if played:
        monkeypatch.setattr(_captured, "recorded", as_if_played)
    policy, rows = sampled(problems, partial(Lean, captured=True), **told)
    assert policy.engine.exact
    assert type(policy.engine.decoder()) is Captured
    for engine in (partial(Lean, captured=False), Plain):
        _, other = sampled(problems, engine, **told)
        assert [text.tokens for text in rows.outputs] == [text.tokens for text in other.outputs]
        assert_close(rows.logp_old, other.logp_old, atol=1e-11, rtol=0)
    assert len(rows.mask.sum(1).unique()) > 2
    assert_close(policy.log_prob(rows), rows.logp_old, atol=1e-11, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_other_precisions(shared, dtype):
    policy = Language(causal(dtype=dtype), TOKENIZER, engine=partial(Lean, captured=True), max_new_tokens=12)
    rows = policy.sample(PROMPTS, 5, seed=3)
    assert policy.engine.exact
    assert rows.logp_old.dtype == torch.float32
    difference = (policy.log_prob(rows) - rows.logp_old)[rows.mask].abs().mean()
    assert difference < (1e-5 if dtype == torch.float32 else 0.05 * rows.logp_old[rows.mask].std())


def test_steps_are_recorded_once_a_stage_and_once_a_dropping(shared, monkeypatch):
    counts = []

    def counted(step, tokens):
        counts.append(len(tokens))
        return step

    monkeypatch.setattr(_captured, "_FIRST", 8)
    monkeypatch.setattr(_captured, "recorded", counted)
    model = exactly(causal())
    model.generation_config.eos_token_id = [2]
    policy = Language(model, TOKENIZER, engine=partial(Lean, captured=True), max_new_tokens=30)
    policy.engine.decoder()  # its trial
    counts.clear()
    rows = policy.sample(EVEN, 4, seed=3)
    length = rows.mask.sum(1)
    assert int(length.max()) == 30
    # slots: up to 8, 16, 32 or all; rows: while more than half of those in the batch go on
    assert counts == sorted(counts, reverse=True)
    assert 3 <= len(counts) <= 3 + 4
    assert counts[0] == 12


def test_stages_hold_twice_as_many_slots(shared, monkeypatch):
    monkeypatch.setattr(_captured, "_FIRST", 8)
    slots: Any = Cache(prompts_of(), None, torch.arange(3).repeat(2), 20, FixedSlots).slots
    found = {}
    while slots.used < slots.slots:
        if slots.outgrown():
            found[slots.used] = slots.reach
        slots.advance()
    assert found == ({0: 8, 8: 16, 16: 20} if shared else {4: 8, 8: 16, 16: 24})


def prompts_of(layers=2, prompts=3, heads=2, width=4, size=5):
    g = torch.Generator().manual_seed(0)
    return [torch.randn(2, prompts, heads, width, size, generator=g, dtype=torch.float64) for _ in range(layers)]


@pytest.mark.parametrize("kind", [GrowingSlots, FixedSlots])
def test_attention_is_softmax_over_what_a_row_has_seen(shared, kind):
    """Against a sum written out, with a prompt that is shorter, while rows are dropped, repeated and moved."""
    prompt, owner, length = prompts_of(), torch.tensor([0, 0, 1, 2, 2, 2]), [4, 2, 3]
    gap = torch.where(torch.arange(4) < torch.tensor(length)[:, None, None], 0.0, -torch.inf).double()
    cache, said = Cache(prompt, gap, owner, 9, kind), [[] for _ in owner]
    slots: Any = cache.slots
    g = torch.Generator().manual_seed(1)
    for rows in ([0, 1, 2, 3, 4, 5], [0, 5, 2, 3], [3, 3, 0, 2, 0, 0, 3], [1, 4], [1]):
        if rows != [0, 1, 2, 3, 4, 5]:
            cache.keep(torch.tensor(rows))
            owner, said = owner[rows], [list(said[row]) for row in rows]
        if kind is FixedSlots:
            slots.outgrown()
        keys, values = torch.randn(2, len(rows), 2, 5, generator=g, dtype=torch.float64)
        queries = torch.randn(len(rows), 4, 5, generator=g, dtype=torch.float64)
        cache.slots.write(1, keys, values)
        found = cache.attended(1, queries)
        for row, new in enumerate(zip(keys, values, strict=True)):
            said[row].append(new)
            mine = prompt[1][:, owner[row], :, : length[owner[row]]]
            k, v = (torch.cat([mine[i], torch.stack([pair[i] for pair in said[row]], 1)], 1) for i in (0, 1))
            heads = [(queries[row, h] @ k[h // 2].t()).softmax(-1) @ v[h // 2] for h in range(4)]
            assert_close(found[row], torch.cat(heads), atol=1e-12, rtol=0)
        cache.slots.advance()


def test_prompts_that_nobody_goes_on_from_are_left(monkeypatch):
    monkeypatch.setattr(_lean_cache, "_SAVED", 1)
    cache = Cache(prompts_of(), None, torch.tensor([0, 0, 1, 1, 2, 2]), 3, GrowingSlots)
    cache.keep(torch.tensor([0, 1, 5, 4]))
    assert [held.shape[1] for held in cache.prompt] == [2, 2]
    assert torch.equal(cache.prompt[0], prompts_of()[0][:, [0, 2]])
    assert cache.owner.tolist() == [0, 0, 1, 1]


def test_seats_hold_what_rows_have_and_give_it_back():
    owner = torch.tensor([1, 0, 1, 1])
    seats, rows = Seats(owner, 2, 1), torch.arange(8.0).view(4, 1, 2)
    assert torch.equal(seats.take(rows)[1], rows[[0, 2, 3], 0])
    assert torch.equal(seats.take(rows)[0, 0], rows[1, 0])
    assert torch.equal(seats.leave(seats.take(rows)), rows)


def test_a_prompt_is_held_once_where_that_pays():
    """2 x rows x heads x tokens x size numbers, less the prompts' own."""
    prompt = [torch.zeros(2, 2, 2, 128, 64)]
    many, few = (Cache(prompt, None, torch.arange(2).repeat_interleave(group), 4, GrowingSlots) for group in (8, 4))
    assert many.shared
    assert not few.shared
    assert many.slots.held[0].shape == (2, 16, 2, 4, 64)
    assert few.slots.held[0].shape == (2, 8, 2, 132, 64)
