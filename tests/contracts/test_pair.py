"""What a pair promises for members of every family: it is one policy, and each decision belongs to who made it."""

import copy
import io
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.policies.composed.pair import MEMBERS
from rlft.tool.self_test import FAMILIES
from rlft.types import Exchanging, HasReference, HasValue, Policy, Rollouts
from tests.pairs import family_trainer, table_trainer, weights

# What a pair does with its members' rows is the same for all that answer in words: one of those that are shown things.
PAIRED = [family for family in FAMILIES if family != "hearing"]
KINDS = ["table", *PAIRED]
TOLERANCE = {
    "table": 0.0,
    "control": 1e-6,
    "diffusion": 1e-6,
    "masked": 1e-6,
    "language": 5e-5,
    "seeing": 5e-5,
}


def build(kind, **settings):
    return table_trainer(**settings) if kind == "table" else family_trainer(kind, **settings)


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def drawn(kind, count=4, group=2, seed=5):
    trainer = build(kind)
    return trainer, trainer.policy.sample([trainer.task.at(i) for i in range(count)], group, seed)


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    return request.param, *drawn(request.param)


def test_it_is_a_policy(case):
    _, trainer, _ = case
    for capability in (Policy, Exchanging, HasValue, HasReference):
        assert isinstance(trainer.policy, capability)


def test_the_first_ratio_is_one(case):
    """In float64, for rows of both orders of roles in one batch."""
    _, trainer, rows = case
    policy = trainer.policy
    policy.exchange()
    other = policy.sample(rows.problems[::2], 2, seed=6)
    policy.exchange()
    for batch in (rows, other, Rollouts.concat([rows, other])):
        assert_close(policy.log_prob(batch).detach(), batch.logp_old, atol=1e-9, rtol=0)
        assert batch.logp_old[batch.mask].abs().min() > 0
    assert not torch.equal(rows.trace["begins"], other.trace["begins"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", PAIRED)
def test_the_first_ratio_in_float32(kind):
    assert build(kind, dtype=torch.float32).step()["ratio/first"] <= TOLERANCE[kind]


def test_each_member_scores_its_own(case):
    """Pioneer's columns, then the observer's; a member alone gives the same numbers."""
    _, trainer, rows = case
    policy = trainer.policy
    logp, turn = policy.log_prob(rows).detach(), rows.column("turn")
    for number, member in enumerate(policy.members):
        own = policy.own(number, rows)
        assert not [name for name in own.trace if "/" in name]
        assert_close(member.log_prob(own).detach()[own.mask], logp[rows.mask & (turn == number)], atol=1e-9, rtol=0)
        assert_close(own.logp_old[own.mask], rows.logp_old[rows.mask & (turn == number)], atol=0, rtol=0)
        assert int(own.mask.sum()) == int((rows.mask & (turn == number)).sum()) > 0


def test_gradients_reach_who_decided(case):
    _, trainer, rows = case
    policy, turn = trainer.policy, rows.column("turn")
    for number in (0, 1):
        policy.zero_grad()
        policy.log_prob(replace(rows, mask=rows.mask & (turn == number))).sum().backward()
        sizes = [sum(float(p.grad.abs().sum()) for p in m.parameters() if p.grad is not None) for m in policy.members]
        assert sizes[number] > 1e-3
        assert sizes[1 - number] == 0


def test_the_observer_sees_the_pioneer(case):
    """What the observer decided has the probability of its merged problem, and noise of its own in each row."""
    kind, trainer, rows = case
    policy = trainer.policy
    merged = [policy._merged(policy.members[0].sample(rows.problems[::2], 2, 5), row) for row in range(len(rows))]
    assert len({(p.task, p.index) for p in merged}) == len(rows)
    told = any(one.input != two.input for one, two in zip(merged[::2], merged[1::2], strict=True))
    assert told == (kind != "masked")  # which has no classes, so nothing to be told
    again = policy.members[1].sample(merged, 1, 5)
    own = policy.own(1, rows)
    assert_close(again.logp_old[again.mask], own.logp_old[own.mask], atol=1e-9, rtol=0)
    alone = policy.members[1].sample(rows.problems[::2], 2, 5)
    assert alone.logp_old.shape != own.logp_old.shape or not torch.equal(alone.logp_old, own.logp_old)


def test_a_row_is_the_same_whoever_draws_it(case):
    """In another order, alone, in another group size."""
    _, trainer, rows = case
    policy = trainer.policy
    turned = policy.sample([rows.problems[4], rows.problems[0]], 3, seed=5)
    for row, other in ((4, 0), (5, 1), (0, 3), (1, 4)):
        mine, theirs = rows[[row]], turned[[other]]
        assert_close(mine.logp_old[mine.mask], theirs.logp_old[theirs.mask], atol=1e-9, rtol=0)
    assert turned.logp_old[2].sum() != turned.logp_old[1].sum()


def test_padding_changes_nothing(case):
    kind, trainer, rows = case
    if kind == "diffusion":
        return  # every row of a denoiser has the same number of steps

    def wider(values):
        room = values.new_zeros((values.shape[0], *(size + 2 for size in values.shape[1:2]), *values.shape[2:]))
        room[:, : values.shape[1]] = values
        return room

    if kind == "table":  # a table's logits end where its decisions do
        trace = rows.trace
    else:
        trace = {name: wider(v) if v.ndim > 1 and name != "begins" else v for name, v in rows.trace.items()}
    padded = replace(
        rows,
        trace=trace,
        mask=wider(rows.mask),
        logp_old=wider(rows.logp_old),
        filled={name: wider(v) if v.ndim > 1 else v for name, v in rows.filled.items()},
    )
    width = rows.mask.shape[1]
    assert_close(trainer.policy.log_prob(padded)[:, :width], trainer.policy.log_prob(rows), atol=1e-12, rtol=0)
    assert_close(trainer.policy.value(padded)[:, :width], trainer.policy.value(rows), atol=1e-12, rtol=0)


def test_masked_decisions_have_no_gradient(case):
    _, trainer, rows = case
    logp = trainer.policy.log_prob(replace(rows, mask=torch.zeros_like(rows.mask)))
    assert not logp.any()
    trainer.policy.zero_grad()
    logp.sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in trainer.policy.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_micro_batches_change_nothing(kind, rows):
    whole, cut = (build(kind, rows=r, optimizer=sgd, lr=0.1) for r in (None, rows))
    start = weights(whole.policy).clone()
    for trainer in (whole, cut):
        trainer.step()
    for member, before in zip(whole.policy.members, start.tensor_split(_sizes(whole.policy)), strict=True):
        assert (weights(member) - before).abs().max() > 1e-4
    # a Llama's norm works in float32 whatever its weights are
    assert_close(weights(whole.policy), weights(cut.policy), atol=1e-7 if kind == "language" else 1e-9, rtol=0)


def _sizes(policy):
    return (len(weights(policy.members[0])),)


@pytest.mark.parametrize("kind", KINDS)
def test_stop_and_resume_is_the_straight_run(kind):
    """At every point of four steps with an exchange before each but the first; through bytes, without running code."""

    def saved(trainer):
        file = io.BytesIO()
        torch.save(trainer.state_dict(), file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    straight, states = build(kind), []
    while straight.steps_done < 3:
        states.append(saved(straight))
        straight.advance()
    assert any(s["own"]["pending"] is not None and s["shared"]["updates_done"] for s in states)
    assert {int(s["shared"]["policy"]["exchanged"]) for s in states} == {0, 1}
    for state in states[4:11] if kind == "table" else states[4:6]:
        resumed = build(kind)
        resumed.load_state_dict(copy.deepcopy(state))
        list(resumed.run(3))
        assert torch.equal(weights(resumed.policy), weights(straight.policy))
        assert resumed.policy.first == straight.policy.first


@pytest.mark.parametrize("kind", KINDS)
def test_the_members_are_saved_as_policies(kind, tmp_path):
    if kind != "table":
        build(kind).policy.save(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MEMBERS)
