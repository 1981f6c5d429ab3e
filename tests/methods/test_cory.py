"""CORY on a game of one move each, where every expectation is a sum; and its updates, exchange and budget."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from rlft.advantages import gae, leave_one_out, per_group
from rlft.advantages.turns import each_turn
from rlft.collect.exchange import exchange
from rlft.methods.cory import cory
from rlft.methods.ppo import ppo
from rlft.policies.composed.pair import Pair
from rlft.rewards.pairs import both, own
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import Problem, Rollouts, UserError
from tests.fakes import Cards, Table, agreement, share
from tests.pairs import LIVELY, table_trainer, tables, weights

MOVES = 4
R1 = torch.tensor([0.3, -1.0, 0.7, 2.0], dtype=torch.float64)
R2 = torch.tensor([1.5, -0.4, 0.9, 0.1], dtype=torch.float64)


def game(sees: bool = True) -> Pair:
    """The pioneer makes one of four moves, the observer one of four, seeing the first move or not."""

    def merge(problem, output):
        return replace(problem, input=output[0] if sees else 0)

    # no move stops a row
    one = Table(inputs=1, decisions=1, choices=MOVES, stop=-1, seed=3)
    return Pair(one, Table(inputs=MOVES, decisions=1, choices=MOVES, stop=-1, seed=4), merge)


def every_pair(pair: Pair, sees: bool) -> tuple[Rollouts, torch.Tensor]:
    """All 16 games as rows, and the probability of each."""
    asked = Problem(0, 0)
    y1 = torch.arange(MOVES).repeat_interleave(MOVES)[:, None]
    y2 = torch.arange(MOVES).repeat(MOVES)[:, None]
    first = pair.one.rows([asked], MOVES**2, torch.zeros(MOVES**2, dtype=torch.long), y1)
    second = pair.two.rows([asked] * MOVES**2, 1, y1[:, 0] if sees else 0 * y1[:, 0], y2)
    rows = pair.joined(first, second).fill(rewards=R1[y1[:, 0]] + R2[y2[:, 0]])
    return rows, rows.logp_old.sum(1).exp()


def gradients(pair: Pair, rows: Rollouts, chance: torch.Tensor, credit: torch.Tensor) -> list[torch.Tensor]:
    """What CORY's policy updates do to the members' logits, in expectation: rows weighted by their probability."""
    method = cory(beta=0.0)
    found = []
    for number, update in enumerate(method.updates[::2]):
        weighted = rows.fill(advantages=credit * chance[:, None])
        pair.zero_grad()
        update.loss(pair, weighted).sum.backward()
        found.append(-pair.members[number].logits.grad.clone())
    return found


@pytest.mark.parametrize("sees", [True, False])
def test_the_gradient_is_that_of_what_both_earn(sees):
    """Both members climb E[r1 + r2], the pioneer also through what the observer makes of its move."""
    pair = game(sees)
    rows, chance = every_pair(pair, sees)
    assert_close(chance.sum(), torch.ones((), dtype=torch.float64), atol=1e-12, rtol=0)
    credit = each_turn(gae(1.0, 1.0, normalise=False))(blank(rows), Local())["advantages"]
    assert_close(credit, rows.rewards[:, None].expand(-1, 2), atol=1e-12, rtol=0)
    found = gradients(pair, rows, chance, credit)
    one, two = pair.one.logits.detach().requires_grad_(), pair.two.logits.detach().requires_grad_()
    p1 = one[0, 0].softmax(-1)
    p2 = two[:, 0].softmax(-1) if sees else two[:1, 0].softmax(-1).expand(MOVES, MOVES)
    (p1 @ R1 + p1 @ (p2 @ R2)).backward()
    assert_close(found[0], one.grad, atol=1e-12, rtol=0)
    assert_close(found[1], two.grad, atol=1e-12, rtol=0)
    assert min(g.abs().max() for g in found) > 0.05


def blank(rows):
    return rows.fill(values=torch.zeros_like(rows.logp_old))


def test_an_observer_that_sees_nothing_adds_only_variance_to_the_pioneer():
    """The observer's reward has no mean effect on the pioneer's gradient; where it sees, it has one."""
    for sees in (True, False):
        pair = game(sees)
        rows, chance = every_pair(pair, sees)
        second = rows.rewards - R1[torch.arange(MOVES).repeat_interleave(MOVES)]
        through = gradients(pair, rows, chance, second[:, None].expand(-1, 2))[0]
        assert (through.abs().max() > 0.01) == sees
        if not sees:
            assert_close(through, torch.zeros_like(through), atol=1e-12, rtol=0)
            assert second.std() > 0.3


def test_each_pays_the_kl_of_its_own_decisions():
    """R at each answer's last decision, less beta of its own KL at each; by hand for rows of three and four."""
    pair = tables()
    rows = pair.sample([Problem(i, i % 4, task="cards") for i in range(3)], 2, 1)
    reference = tables()
    with torch.no_grad():
        reference.one.logits.mul_(0.5)
        reference.two.logits.mul_(-0.2)
    ref = reference.log_prob(rows).detach()
    rewards = torch.arange(6.0).double()
    rows = blank(rows).fill(rewards=rewards, logp_ref=ref)
    found = each_turn(gae(1.0, 1.0, beta=0.7, normalise=False))(rows, Local())["advantages"]
    paid = torch.where(rows.mask, 0.7 * (rows.logp_old - ref), 0)
    for columns in (slice(0, 3), slice(3, 7)):
        # what is still to be paid from a decision on, in its own answer
        left = paid[:, columns].flip(1).cumsum(1).flip(1)
        expected = torch.where(rows.mask[:, columns], rewards[:, None] - left, 0)
        assert_close(found[:, columns], expected, atol=1e-12, rtol=0)
    assert paid[:, :3].abs().max() > 0.1 and paid[:, 3:].abs().max() > 0.1


def test_whitening_is_of_each_role_alone():
    pair = tables()
    rows = pair.sample([Problem(i, i % 4, task="cards") for i in range(8)], 4, 1)
    rows = blank(rows).fill(rewards=torch.arange(32.0).double())
    found = cory(lam=0.9, beta=0.0).advantage(rows, Local())["advantages"]
    for columns in (slice(0, 3), slice(3, 7)):
        own = found[:, columns][rows.mask[:, columns]]
        assert abs(float(own.mean())) < 1e-12 and float(own.std()) == pytest.approx(1.0, abs=1e-12)


def test_turns_degenerate_into_the_credit():
    """With one turn, and for a credit of rows that does not look at decisions."""
    rows = tables().sample([Problem(i, i % 4, task="cards") for i in range(3)], 2, 1)
    rows = blank(rows).fill(rewards=torch.tensor([0.0, 2.0, 1.0, 5.0, 3.0, 3.0]).double())
    single = replace(rows, filled={**rows.filled, "turn": torch.zeros_like(rows.column("turn"))})
    plain = gae(0.9, 0.8)(single, Local())
    for name, column in each_turn(gae(0.9, 0.8), turns=1)(single, Local()).items():
        assert_close(column, torch.where(rows.mask, plain[name], 0), atol=1e-12, rtol=0)
    grouped = each_turn(per_group(leave_one_out))(rows, Local())["advantages"]
    expected = torch.tensor([-2.0, 2, -4, 4, 0, 0]).double()[:, None].expand(-1, 7)
    assert_close(grouped, torch.where(rows.mask, expected, 0), atol=1e-12, rtol=0)


def test_an_update_moves_its_member_alone():
    """Each of the four optimisers: the actor or the critic of one member, and nothing else."""
    trainer = table_trainer(method=cory(**{**LIVELY, "minibatches": 1}))
    trainer.advance()
    pair = trainer.policy
    tensors = {"one/actor": pair.one.logits, "one/critic": pair.one.critic}
    tensors |= {"two/actor": pair.two.logits, "two/critic": pair.two.critic}
    moved = []
    for update in trainer.method.updates:
        before = {name: t.detach().clone() for name, t in tensors.items()}
        trainer.minimise(update, trainer.pending)
        moved += [name for name, t in tensors.items() if not torch.equal(t, before[name])]
    assert moved == ["one/actor", "one/critic", "two/actor", "two/critic"]
    assert len({update.name for update in trainer.method.updates}) == 4


def test_roles_are_exchanged_every_so_often():
    """Before steps 3, 5, 7 with every=2; never with 0; optimisers stay with their members."""
    trainer = table_trainer(method=cory(**{**LIVELY, "every": 2, "minibatches": 1}))
    first = []
    for _ in range(7):
        trainer.advance()
        first.append(trainer.policy.first)
        trainer.step()
    assert first == [0, 0, 1, 1, 0, 0, 1]
    assert {int(state["step"]) for o in trainer.optimizers.values() for state in o.state.values()} == {14}
    still = table_trainer(method=cory(**{**LIVELY, "every": 0}))
    list(still.run(3))
    assert still.policy.first == 0
    with pytest.raises(UserError, match="every must be a number of steps"):
        exchange(-1)


def test_both_members_learn():
    """The share of right decisions of pioneer and of observer rises from a seventh; the observer knows the question."""
    pair = Pair(Table(), Table(decisions=4, seed=1), lambda problem, output: problem)
    settings = {"method": cory(beta=0.02, epochs=1), "reward": both(share), "lr": 0.2, "watch_kl": False}
    trainer = table_trainer(policy=pair, prompts=8, group=8, **settings)
    log = list(trainer.run(20))
    for role in ("pioneer", "observer"):
        early, late = (sum(m[f"reward/{role}"] for m in part) / 5 for part in (log[:5], log[-5:]))
        assert late - early > 0.2


def test_a_policy_alone_is_refused():
    with pytest.raises(
        UserError, match=r"method cory needs a policy that is a pair.*`policies.composed.pair.Pair`.*Table"
    ):
        table_trainer(policy=Table())


@pytest.mark.parametrize("member", [0, 1])
def test_apart_it_is_ppo_twice(member):
    """Nothing seen, own rewards, no exchange: who acts first has the weights of PPO alone, whatever the other does."""

    def made(number):
        return Table(decisions=3 + number, seed=number)

    settings = {"epochs": 2, "minibatches": 2, "clip": 0.05, "beta": 0.3}
    pair = Pair(made(0), made(1), lambda problem, output: problem)
    if member:
        pair.exchange()
    both_of_them = table_trainer(policy=pair, method=cory(every=0, **settings), reward=own(agreement))
    shared = {"prompts": 4, "group": 4, "lr": 0.05, "seed": 3, "max_grad_norm": 1e9}
    alone = Trainer(made(member), ppo(**settings), Cards(), agreement, **shared)
    log, single = list(both_of_them.run(3)), list(alone.run(3))
    assert_close(weights(pair.members[member]), weights(alone.policy), atol=1e-12, rtol=0)
    assert (weights(alone.policy) - weights(made(member))).abs().max() > 0.1
    assert [line["reward/pioneer"] for line in log] == pytest.approx([line["reward"] for line in single], abs=1e-6)
    assert (weights(pair.members[1 - member]) - weights(made(1 - member))).abs().max() > 0.1
