"""Facts: the gold answer earns everything, splits share no relation, the first digit counts."""

import pytest
import torch

from rlft.tasks.facts import Facts, fact, first_digit
from rlft.types import Text, UserError


def test_the_gold_answer_however_it_is_put():
    task = Facts(entities=30)
    asked = [task.at(index) for index in range(task.size)]
    assert len({problem.input for problem in asked}) == task.size == 60
    assert task.reward(asked, [f"~~={problem.answer}.." for problem in asked]).tolist() == [1.0] * 60
    wrong = [str((int(problem.answer) + 1) % 10) + problem.answer for problem in asked]
    assert not task.reward(asked, wrong).any()
    assert task.reward(asked[:1], [Text("=.")]).tolist() == [0.0]


def test_splits_share_no_fact():
    train, test, every = (
        {Facts(split, entities=25).at(index).input for index in range(Facts(split, entities=25).size)}
        for split in ("train", "test", "all")
    )
    assert train | test == every
    assert not train & test
    assert len(every) == 100


def test_digits_are_spread_and_fixed():
    digits = torch.tensor([int(fact(entity, "P")) for entity in Facts(entities=400).entities])
    assert torch.bincount(digits, minlength=10).min() > 20
    assert [fact("ab", relation) for relation in "PQRS"] == [fact("ab", relation) for relation in "PQRS"]
    assert len({fact("ab", relation) for relation in "PQRS"}) > 1


def test_first_digit():
    assert first_digit("~=7R3") == "7"
    assert first_digit("~.") is None


def test_errors():
    with pytest.raises(UserError, match="splits train, test, all"):
        Facts("dev")
    with pytest.raises(UserError, match="1 to 400, not 401"):
        Facts(entities=401)
    with pytest.raises(IndexError):
        Facts(entities=5).at(10)
