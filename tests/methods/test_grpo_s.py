"""What GRPO-S degenerates into, and what it scales."""

import pytest
import torch

from rlft.methods.grpo import grpo
from rlft.methods.grpo_s import grpo_s
from rlft.training.trainer import Trainer
from rlft.types import UserError
from tests.fakes import Cards, Table, agreement


def weights(method, steps=2):
    trainer = Trainer(Table(), method, Cards(), agreement, prompts=4, group=4, lr=0.05, seed=3)
    for _ in range(steps):
        trainer.step()
    return torch.cat([weight.detach().flatten() for weight in trainer.policy.parameters()])


def test_by_none_it_is_grpo():
    assert torch.equal(weights(grpo_s(by="none")), weights(grpo()))


def test_where_all_rows_are_as_unlike_it_is_grpo():
    """Every text is embedded as the same; no gap is an outlier."""
    alike = grpo_s(encode=lambda texts: torch.ones(len(texts), 2), tau=1e9)
    assert torch.equal(weights(alike), weights(grpo()))
    assert not torch.equal(weights(grpo_s(by="data")), weights(grpo()))
    assert not torch.equal(weights(grpo_s(by="model", tau=0.05)), weights(grpo()))


def test_settings_that_mean_nothing():
    for told in ({"tau": -1.0}, {"steep": 0.0}):
        with pytest.raises(UserError, match="tau is at least 0"):
            grpo_s(**told)
