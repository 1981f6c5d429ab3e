"""Demonstrations of the hardest questions: which wait, which are shown, what they do, and to what else nothing."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import center, gae, per_group, zscore
from rlft.advantages.correction import weights as importance_weights
from rlft.advantages.demonstrated import beside_demonstrations
from rlft.collect.hardest import Hardest
from rlft.collect.sources import informative
from rlft.losses.surrogate import of_demonstrated, of_drawn
from rlft.methods.grpo import grpo
from rlft.methods.relift import relift
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import Rollouts, Total, UserError
from tests.fakes import Cards, Table, agreement


class Few(Cards):
    """Sixteen cards, of which every fourth has no answer."""

    def __init__(self):
        super().__init__(size=16)

    def at(self, index):
        problem = super().at(index)
        return replace(problem, answer=None) if index % 4 == 3 else problem


def solved_but(*hard, formed=0.0):
    """Every problem is solved by its first row but these, whose rows get `formed`."""

    def reward(problems, outputs):
        return [formed if p.index in hard else float(i % 3 == 0) for i, p in enumerate(problems)]

    return reward


def trainer(method, reward=agreement, task=None, **settings):
    wanted = {"prompts": 4, "group": 3, "seed": 3, "lr": 0.05, "max_grad_norm": 1e9, **settings}
    return Trainer(Table(), method, task or Cards(), reward, **wanted)


def weights(t):
    return torch.cat([p.detach().flatten() for p in t.policy.parameters()])


def sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


def test_who_waits_and_who_is_shown():
    """Newest first, taken out when shown, once each; a question without an answer never waits."""
    collect = Hardest(size=3)
    t = trainer(replace(grpo(beta=0.0), collect=collect), solved_but(0, 1, 3, 5, 6, 7, 9, 10, 15), Few())
    waiting, shown = [], []
    for _ in range(8):
        batch = t.collect()
        asked = [problem.index for problem in batch.problems[:12:3]]
        for index in asked:
            if index in (0, 1, 5, 6, 9, 10):
                waiting = [w for w in waiting if w != index] + [index]
        now = waiting[-3:][::-1] if len(waiting) >= 3 else []
        waiting = waiting[: len(waiting) - len(now)]
        assert [problem.index for problem in batch.problems[12:]] == now
        assert collect.waiting == waiting
        assert t.notes == {"hardest/waiting": len(waiting), "hardest/shown": len(now)}
        shown += now
    assert len(shown) >= 6 and len(set(shown)) > 4


def test_a_question_that_fails_again_moves_to_the_top():
    collect = Hardest(size=100)
    t = trainer(replace(grpo(beta=0.0), collect=collect), solved_but(*range(16)), Few())
    asked = [problem.index for _ in range(10) for problem in t.collect().problems[::3] if problem.answer is not None]
    assert len(asked) > len(collect.waiting) == 12
    assert collect.waiting == sorted(set(asked), key=lambda index: len(asked) - asked[::-1].index(index))


def test_what_counts_as_hard():
    rewards = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, -1, 0], [0, torch.nan, 0], [0.9, 0.2, 0], [-0.5, 0, 0]])
    problems = [Cards().at(index) for index in range(6)]
    blank = torch.zeros(18, 1)
    rows = Rollouts(tuple(p for p in problems for _ in range(3)), 3, [None] * 18, {}, blank > -1, blank)
    rows = rows.fill(rewards=rewards.flatten(), position=torch.arange(18))
    source = trainer(grpo())
    assert Hardest()._unsolved(rows, source) == [0, 2, 4, 5]
    assert Hardest(formed=0.0)._unsolved(rows, source) == [0, 4]
    assert Hardest(formed=-0.5)._unsolved(rows, source) == [0, 4, 5]
    assert Hardest(solved=0.5, formed=0.0)._unsolved(rows, source) == [0]


def test_the_batch():
    """Demonstrations stand behind the drawn rows, with the answers for decisions and no reward."""
    t = trainer(relift(size=2), solved_but(*range(64)))
    batch = t.collect()
    assert len(batch) == 14 and batch.group == 3
    assert torch.equal(batch.position, torch.arange(14))
    assert batch.column("demonstrated").tolist() == [False] * 12 + [True] * 2
    assert batch.rewards[:12].tolist() == [0.0] * 12 and batch.rewards[12:].isnan().all()
    for row in (12, 13):
        problem = batch.problems[row]
        assert batch.trace["actions"][row][batch.mask[row]].tolist() == problem.answer[: int(batch.mask[row].sum())]
        assert batch.trace["which"][row] == problem.input
    assert [len(batch.of(shown)) for shown in (False, True)] == [12, 2]
    assert len(batch[:3].of(True)) == 0 and batch[12:].of(False).problems == ()
    credited = t.credit(batch)
    assert torch.equal(credited.mask, batch.mask)
    assert (credited.advantages[:12] == 0).all() and (credited.advantages[12:][batch.mask[12:]] == 1).all()


def test_a_buffer_that_never_fills_is_grpo():
    plain, waiting = trainer(grpo(beta=0.2)), trainer(relift(size=1000, solved=5.0, beta=0.2))
    for _ in range(5):
        here, there = plain.step(), waiting.step()
        for name, value in here.items():
            if not name.startswith(("seconds", "decisions_per")):
                assert there[name] == pytest.approx(value, abs=0, nan_ok=True), name
        assert torch.equal(weights(plain), weights(waiting))
    assert there["hardest/waiting"] > 5
    assert (weights(plain) - weights(trainer(grpo()))).abs().max() > 0.1


def test_where_everything_is_solved_it_is_grpo():
    def solved(problems, outputs):
        return [2.0 if i % 3 == p.index % 3 else 0.5 for i, p in enumerate(problems)]

    plain, both = trainer(grpo(beta=0.0), solved), trainer(relift(size=1), solved)
    for _ in range(4):
        here, there = plain.step(), both.step()
        assert (there["hardest/waiting"], there["hardest/shown"]) == (0, 0)
        assert there["loss"] == here["loss"] and torch.equal(weights(plain), weights(both))
    assert not both.optimizers["demonstrations"].state_dict()["state"]


def test_a_step_is_grpo_s_and_then_one_of_imitation():
    """By hand: plain gradient descent, first on the rows as GRPO has them, then on the answers from where that led."""
    method = relift(size=2, solved=5.0, demonstration_lr=0.4)
    t = trainer(method, lr=0.7, optimizer=sgd)
    t.advance()
    batch = t.pending
    policy = Table()
    (update,) = grpo(beta=0.0).updates
    drawn = batch[:12]
    alone = drawn.rewards.reshape(4, 3)
    assert_close(drawn.advantages[:, 0].reshape(4, 3), zscore(alone), atol=1e-6, rtol=0)
    for loss, rate in ((lambda: update.loss(policy, drawn), 0.7), (lambda: nll(policy, batch[12:]), 0.4 * 0.7)):
        policy.zero_grad()
        total = loss()
        (total.sum / total.weight).backward()
        with torch.no_grad():
            policy.logits -= rate * policy.logits.grad
    t.step()
    assert_close(t.policy.logits, policy.logits, atol=1e-12, rtol=0)
    once = trainer(grpo(beta=0.0), lr=0.7, optimizer=sgd)
    once.step()
    assert (once.policy.logits - policy.logits).abs().max() > 1e-2


def nll(policy, rows):
    return Total(-policy.log_prob(rows).sum(), rows.mask.sum())


def test_a_group_that_fails_teaches_by_its_answer_alone():
    """All rows wrong: GRPO's gradient is 0, and what moves the weights is the demonstration."""
    failing = solved_but(*range(16))
    still = trainer(relift(size=1000), failing, Few(), optimizer=sgd)
    moved = trainer(relift(size=2), failing, Few(), optimizer=sgd)
    start = weights(still).clone()
    assert still.step()["hardest/waiting"] == 3  # of four, one has no answer
    metrics = moved.step()
    assert torch.equal(weights(still), start)
    assert (weights(moved) - start).abs().max() > 1e-3
    assert (metrics["hardest/shown"], metrics["rows/demonstrated"], metrics["updates"]) == (2, 2, 2)
    assert metrics["loss/demonstrations"] > 0 and metrics["loss"] == 0


def test_optimisers_do_not_meet():
    """The moments of the rows' optimiser after a step with demonstrations are those of GRPO."""
    plain, both = trainer(grpo(beta=0.0)), trainer(relift(size=2, solved=5.0))
    plain.step(), both.step()
    one, two = (t.optimizers["policy"].state_dict()["state"] for t in (plain, both))
    assert all(torch.equal(one[0][name], two[0][name]) for name in ("exp_avg", "exp_avg_sq"))
    assert both.optimizers["demonstrations"].state_dict()["state"]
    assert not torch.equal(weights(plain), weights(both))


def test_what_is_logged_is_of_the_drawn_rows():
    plain, both = trainer(grpo(beta=0.0), watch_kl=True), trainer(relift(size=2, solved=5.0), watch_kl=True)
    both.policy.load_state_dict({name: value * 1.3 for name, value in both.policy.state_dict().items()})
    plain.policy.load_state_dict(both.policy.state_dict())
    one, two = plain.step(), both.step()
    for name in ("kl", "entropy", "length", "reward", "loss", "ratio/first", "advantage/abs"):
        assert one[name] == pytest.approx(two[name], abs=1e-9), name
    assert abs(one["kl"]) > 0.05
    assert two["hardest/shown"] == 2


def test_other_ways_to_draw():
    collect = Hardest(size=2, solved=5.0, collect=informative(rounds=2))
    t = trainer(replace(relift(), collect=collect))
    batch = t.collect()
    assert t.notes["groups/kept"] == len(batch) // 3 and batch.column("demonstrated").sum() == 2
    t.credit(batch)


def test_rewards_of_decisions_are_joined():
    def each(problems, outputs):
        return [[0.1 * (i + 1), 0.2] for i in range(len(problems))]

    t = trainer(relift(size=2, solved=50.0), each)
    batch = t.collect()
    assert batch.reward_at.shape == batch.mask.shape and not batch.reward_at[12:].any()


def test_rows_that_another_engine_drew_are_joined():
    """A demonstration has no engine's log-probability: its weight is 1."""
    t = trainer(relift(size=2, solved=5.0))
    draw = t.draw

    def elsewhere(count):
        rows = draw(count)
        return rows.fill(logp_drawn=rows.logp_old - 0.5)

    t.draw = elsewhere
    batch = t.collect()
    found = importance_weights(batch)
    assert (found[12:] == 1).all() and (found[:12][batch.mask[:12]] > 1.6).all()


def test_a_critic_s_columns_are_kept_too():
    batch = trainer(relift(size=2, solved=5.0)).collect()
    batch = batch.fill(values=torch.zeros_like(batch.logp_old), logp_ref=batch.logp_old)
    plain = gae(1.0, 0.9, 0.0)(batch[:12], Local())
    both = beside_demonstrations(gae(1.0, 0.9, 0.0))(batch, Local())
    for name in ("advantages", "returns"):
        assert torch.equal(both[name][:12], plain[name]) and (both[name][12:] == 1).all()
    drawn = trainer(grpo()).collect()
    assert torch.equal(beside_demonstrations(per_group(center))(drawn, Local()), per_group(center)(drawn, Local()))


def test_losses_of_parts():
    batch = trainer(relift(size=2, solved=5.0)).collect()
    policy = Table()
    drawn, shown = of_drawn(nll)(policy, batch), of_demonstrated(nll)(policy, batch)
    whole = nll(policy, batch)
    assert_close(drawn.sum + shown.sum, whole.sum)
    assert min(drawn.sum, shown.sum) > 1
    assert drawn.weight + shown.weight == whole.weight
    for loss, rows in ((of_drawn(nll), batch[12:]), (of_demonstrated(nll), batch[:12])):
        nothing = loss(policy, rows)
        assert nothing.weight == 0 and nothing.sum == 0 and nothing.sum.requires_grad


def test_what_cannot_be():
    with pytest.raises(UserError, match="at least 1; got 0"):
        Hardest(size=0)

    class Two(Local):
        world = 2

    with pytest.raises(UserError, match="1 demonstrations cannot be shared over 2 processes"):
        trainer(relift(size=1), runtime=Two()).collect()
