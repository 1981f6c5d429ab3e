"""LUFFY: a demonstration is one more of its group, with a loss of its own; without any it is GRPO."""

import math
from dataclasses import replace

import torch
from torch.testing import assert_close

from rlft.advantages import zscore
from rlft.advantages.demonstrated import among_demonstrations
from rlft.losses.surrogate import token_mean
from rlft.methods.luffy import luffy
from rlft.methods.tricks import tricks
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from tests.fakes import Cards, Table, share


class Some(Cards):
    """Problems of which those with odd indices have no lesson."""

    def at(self, index):
        problem = super().at(index)
        return problem if index % 2 == 0 else replace(problem, answer=None, columns={"answer": problem.answer})


class Untaught(Cards):
    def at(self, index):
        problem = super().at(index)
        return replace(problem, answer=None, columns={"answer": problem.answer})


def judged(problems, outputs):
    return share([replace(p, answer=p.answer or p.columns["answer"]) for p in problems], outputs)


def trainer(method, task=None, **settings):
    settings = {"prompts": 4, "group": 3, "lr": 0.05, "seed": 3, "max_grad_norm": 1e9, **settings}
    return Trainer(Table(), method, task or Cards(), judged, **settings)


def weights(t):
    return torch.cat([p.detach().flatten() for p in t.policy.parameters()])


def test_the_batch_and_its_credit():
    t = trainer(luffy(earned=0.5), Some())
    drawn = t.collect()
    taught = drawn.of(demonstrated=True)
    asked = [p.index for p in drawn.problems[:12:3]]
    shown = [index for index in asked if index % 2 == 0]
    assert 0 < len(shown) < 4 and t.notes["guided/shown"] == len(shown) == len(drawn) - 12
    assert [p.index for p in taught.problems] == shown
    assert taught.position.tolist() == [12 + asked.index(index) for index in shown]
    assert taught.rewards.tolist() == [0.5] * len(shown)
    found = among_demonstrations(zscore)(drawn, Local())
    for group, index in enumerate(asked):
        own = drawn.rewards[3 * group : 3 * group + 3].tolist()
        whole = torch.tensor([*own, 0.5] if index % 2 == 0 else own)
        expected = (whole - whole.mean()) / whole.std().clamp(min=1e-6)
        assert_close(found[3 * group : 3 * group + 3], expected[:3], atol=1e-6, rtol=0, check_dtype=False)
        if index % 2 == 0:
            assert_close(found[12 + shown.index(index)], expected[3], atol=1e-6, rtol=0, check_dtype=False)


def test_places_tell_the_groups_and_not_the_order():
    rows = trainer(luffy(earned=0.5), Some()).collect()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))
    credit = among_demonstrations(zscore)
    assert_close(credit(rows[order], Local()), credit(rows, Local())[order])


def test_the_loss_by_hand():
    """At the first update: of a drawn row -A, of a demonstration -A p/(p + .1), over the decisions of both."""
    t = trainer(luffy(), prompts=2)
    t.advance()
    rows = t.pending
    total = t.method.updates[0].loss(t.policy, rows)
    taught = rows.column("demonstrated")[:, None]
    p = rows.logp_old.exp()
    expected = -rows.advantages * torch.where(taught, p / (p + 0.1), 1.0)
    assert_close(total.sum, expected[rows.mask].sum())
    assert total.weight == rows.mask.sum()


def test_the_gradient_of_a_demonstration():
    t = trainer(luffy(shaping=0.3), prompts=1, group=2)
    t.advance()
    taught = t.pending.of(demonstrated=True)
    logits = t.policy.logits
    mine = torch.autograd.grad(t.method.updates[0].loss(t.policy, taught).sum, logits)[0]
    p = taught.logp_old.exp()
    weight = (taught.advantages * 0.3 * p / (p + 0.3) ** 2).detach()
    other = torch.autograd.grad(token_mean(-weight * t.policy.log_prob(taught), taught.mask).sum, logits)[0]
    assert_close(mine, other)
    assert mine.abs().max() > 1e-3


def test_without_demonstrations_it_is_grpo():
    mine, other = (
        trainer(luffy(clip=0.1, epochs=2), Untaught(), lr=0.3),
        trainer(tricks(std="group", low=0.1, high=0.1, epochs=2), Untaught(), lr=0.3),
    )
    for _ in range(3):
        metrics, plain = mine.step(), other.step()
        assert torch.equal(weights(mine), weights(other))
        assert metrics["clipped"] == plain["clipped"]
    assert metrics["clipped"] > 0 and metrics["guided/shown"] == 0


def test_what_is_never_drawn_is_learned():
    """A question that no row solves has no advantage by itself; its demonstration has."""

    def solved(problems, outputs):
        return [float(s == 1) for s in judged(problems, outputs)]

    def after(method):
        table = Table()
        with torch.no_grad():  # what is right is never drawn
            for i in range(4):
                for d in range(3):
                    table.logits[i, d, (i + 2 * d + 1) % 5] = -4.0
        t = Trainer(table, method, Cards(), solved, prompts=8, group=4, lr=0.3, seed=3)
        return list(t.run(30))[-1]["reward"]

    assert after(luffy()) > 0.3
    assert after(tricks(std="group")) == 0.0


def test_with_infinite_shaping_demonstrations_only_count_in_the_mean():
    t = trainer(luffy(shaping=math.inf), prompts=2)
    t.advance()
    taught = t.pending.of(demonstrated=True)
    assert not torch.autograd.grad(t.method.updates[0].loss(t.policy, taught).sum, t.policy.logits)[0].any()
