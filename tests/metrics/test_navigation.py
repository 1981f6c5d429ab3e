"""Success weighted by path length, by hand."""

import pytest
import torch

from rlft.errors import UserError
from rlft.metrics.navigation import spl


def test_spl_by_hand():
    success = torch.tensor([True, True, True, False])
    shortest, taken = torch.tensor([10.0, 10.0, 10.0, 4.0]), torch.tensor([10.0, 25.0, 8.0, 4.0])
    # never more than 1, though a path may be measured shorter than the shortest
    assert spl(success, shortest, taken).tolist() == pytest.approx([1.0, 0.4, 1.0, 0.0])


def test_paths_have_lengths():
    with pytest.raises(UserError, match="longer than 0"):
        spl(torch.tensor([True]), torch.tensor([0.0]), torch.tensor([1.0]))
    with pytest.raises(UserError, match="not negative"):
        spl(torch.tensor([True]), torch.tensor([1.0]), torch.tensor([-1.0]))
