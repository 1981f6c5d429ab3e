"""A budget of tokens: which rows go together, and that it changes nothing but memory."""

import pytest
import torch
from torch.testing import assert_close

from rlft.methods.grpo import grpo
from rlft.methods.ppo import ppo
from rlft.policies.language.engines.choose import Lean, Plain
from rlft.policies.language.tokens.passes import Lengths, padded_cost, passes, shared_cost
from rlft.tool.self_test import control, language
from rlft.training.trainer import Trainer
from rlft.types import Packing, UserError

# two groups with prompts of 5 and 2 tokens
ROWS = [
    Lengths(0, 0, 5, 1),
    Lengths(1, 0, 5, 9),
    Lengths(2, 0, 5, 4),
    Lengths(3, 1, 2, 3),
    Lengths(4, 1, 2, 8),
    Lengths(5, 1, 2, 3),
]


def test_costs_by_hand():
    assert shared_cost(ROWS) == 5 + 14 + 2 + 14
    assert shared_cost(ROWS[2:4]) == 5 + 4 + 2 + 3
    assert padded_cost(ROWS) == 6 * 14
    assert padded_cost(ROWS[3:]) == 3 * 10


@pytest.mark.parametrize(
    ("budget", "together", "cost", "expected"),
    [
        (1000, False, shared_cost, [[3, 4, 5, 0, 1, 2]]),
        (16, False, shared_cost, [[3, 4, 5], [0, 1], [2]]),  # 2 + 14, 5 + 10, 5 + 4
        (13, False, shared_cost, [[3, 4], [5, 0], [1], [2]]),  # 13, 2 + 3 + 5 + 1, 14 in spite of the budget
        (13, True, shared_cost, [[3, 4, 5], [0, 1, 2]]),
        (30, False, padded_cost, [[3, 5, 0], [2, 4], [1]]),  # lengths 5 5 6, 9 10, 14
        (1, False, padded_cost, [[3], [5], [0], [2], [4], [1]]),
        (1, True, padded_cost, [[3, 4, 5], [0, 1, 2]]),
    ],
)
def test_passes_by_hand(budget, together, cost, expected):
    assert passes(ROWS, budget, together, cost) == expected


def test_no_rows_are_no_passes():
    assert passes([], 10, False, shared_cost) == passes([], 10, True, padded_cost) == []


@pytest.mark.parametrize("engine", [Lean, Plain])
@pytest.mark.parametrize("budget", [1, 25, 60])
def test_the_budget_changes_nothing(engine, budget):
    trainers = [language(grpo(), torch.float64, budget=told) for told in (None, budget)]
    counts = []
    for trainer in trainers:
        trainer.policy.engine = engine(trainer.policy.causal)
        trainer.optimizers = {"policy": torch.optim.SGD(list(trainer.policy.parameters()), 0.1)}
        trainer.lr = 0.1
        metrics = trainer.step()
        counts.append(len(trainer.cuts(trainer.policy.sample(trainer.stream.take(4), 4, 0))))
        assert metrics["ratio/first"] < 1e-9
    whole, cut = (torch.cat([w.detach().flatten() for w in trainer.policy.parameters()]) for trainer in trainers)
    assert_close(cut, whole, atol=1e-12 if engine is Lean else 1e-9, rtol=0)
    start = torch.cat([w.detach().flatten() for w in language(grpo(), torch.float64).policy.parameters()])
    assert (whole - start).abs().max() > 1e-3
    assert counts[0] == 1 < counts[1]


def test_columns_come_back_in_the_order_of_the_rows():
    trainer = language(ppo(epochs=1), torch.float64, budget=30)
    trainer.policy.engine = Plain(trainer.policy.causal)  # goes by each row's length
    rows = trainer.draw(4)
    cuts = trainer.cuts(rows)
    assert sorted(row for cut in cuts for row in cut) == list(range(16)) != [row for cut in cuts for row in cut]
    assert_close(trainer.forward(trainer.policy.log_prob, rows), rows.logp_old, atol=1e-9, rtol=0)


def test_groups_stay_whole_where_the_method_compares_them():
    trainer = language(grpo(), budget=1)
    rows = trainer.draw(4)
    for cut in trainer.policy.packed(rows, 1, together=True):
        assert len(cut) == 4
        assert len({row // 4 for row in cut}) == 1


def test_only_policies_that_count_tokens_have_a_budget():
    trainer = language(grpo())
    assert isinstance(trainer.policy, Packing)
    told = {"prompts": 4, "group": 4, "budget": 100}
    with pytest.raises(UserError, match="give one of the two"):
        Trainer(trainer.policy, grpo(), trainer.task, trainer.reward, rows=3, **told)
    other = control(grpo())
    with pytest.raises(UserError, match="budget=100 tokens"):
        Trainer(other.policy, grpo(), other.task, other.reward, **told)
    with pytest.raises(UserError, match="budget must be at least 1"):
        Trainer(trainer.policy, grpo(), trainer.task, trainer.reward, **{**told, "budget": 0})
