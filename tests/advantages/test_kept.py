"""Which rows are imitated, by hand."""

import pytest
import torch

from rlft.advantages import at_least, per_group
from rlft.advantages.kept import kept
from rlft.runtime.local import Local
from rlft.types import Problem, Rollouts, UserError

REWARDS = [1.0, 1.0, 0.0, 1.0, 1.0, float("nan"), 1.0, 1.0]
OUTPUTS = ["a", "a", "b", "c", "a", "a", "d", "a"]  # of two problems, four each


def rows(rewards=REWARDS, outputs=OUTPUTS):
    problems = tuple(Problem(i // 4, "q") for i in range(8))
    mask = torch.ones(8, 2, dtype=torch.bool)
    made = Rollouts(problems, 4, outputs, {}, mask, torch.zeros(8, 2))
    return made.fill(rewards=torch.tensor(rewards))


def chosen(*settings):
    return kept(1.0, *settings)(rows(), Local()).isfinite().int().tolist()


def test_by_hand():
    assert chosen() == [1, 0, 0, 1, 1, 0, 1, 0]
    assert chosen(2) == [1, 1, 0, 1, 1, 0, 1, 1]
    assert chosen(2, 2) == [1, 1, 0, 0, 1, 0, 1, 0]
    assert chosen(None, 1) == [1, 0, 0, 0, 1, 0, 0, 0]


def test_with_all_copies_it_is_the_threshold():
    for threshold in (-1.0, 0.5, 1.0, 2.0):
        mine, plain = kept(threshold, None)(rows(), Local()), per_group(at_least(threshold))(rows(), Local())
        assert torch.equal(mine.nan_to_num(0), plain.nan_to_num(0))


@pytest.mark.parametrize("settings", [(0,), (1, 0)])
def test_none_is_said_by_none(settings):
    with pytest.raises(UserError, match="at least 1, or none for all of them; got 0"):
        kept(1.0, *settings)
