"""A credit inside another keeps its memory when the run is saved."""

import pytest
import torch

from rlft.advantages import PromptStatistics, center, per_group
from rlft.advantages.correction import importance_corrected
from rlft.advantages.demonstrated import beside_demonstrations
from rlft.advantages.extremes import extremes
from rlft.advantages.length import without_overlong
from rlft.advantages.turns import each_turn
from rlft.methods.ddpo import ddpo
from rlft.runtime.local import Local
from rlft.training.trainer import Trainer
from rlft.types import Stateful
from tests.fakes import Cards, Table, agreement

WRAPPERS = {
    "correction": importance_corrected,
    "demonstrations": beside_demonstrations,
    "extremes": lambda credit: extremes(credit, -9.0),
    "overlong": lambda credit: without_overlong(credit, 9),
    "turns": lambda credit: each_turn(credit, turns=1),
}


@pytest.fixture
def rows():
    batch = Trainer(Table(), ddpo(), Cards(), agreement, prompts=4, group=3).collect()
    return batch.fill(turn=torch.zeros(batch.mask.shape, dtype=torch.long))


@pytest.mark.parametrize("name", WRAPPERS)
def test_memory_is_saved_and_comes_back(name, rows):
    one, two = (WRAPPERS[name](PromptStatistics(buffer=8, at_least=4)) for _ in range(2))
    assert isinstance(one, Stateful)
    first = one(rows, Local())
    state = one.state_dict()
    assert state["history"]
    two.load_state_dict(state)
    again, fresh = one(rows, Local()), WRAPPERS[name](PromptStatistics(buffer=8, at_least=4))(rows, Local())
    loaded = two(rows, Local())
    # a row that is left out has no number, and is no row that has another one
    made = (rows.wide(columns)["advantages"].nan_to_num(nan=9.0) for columns in (again, loaded, fresh, first))
    mine, theirs, new, before = made
    assert torch.equal(mine, theirs)
    assert torch.equal(new, before) and not torch.equal(mine, new)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_credit_without_memory_has_nothing_to_save(name):
    wrapped = WRAPPERS[name](per_group(center))
    assert wrapped.state_dict() == {}
    wrapped.load_state_dict({})
