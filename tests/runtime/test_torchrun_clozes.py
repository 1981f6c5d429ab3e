"""Spans that are chosen in one process and predicted in another: two processes, the numbers of one."""

import pytest
import torch
from torch.testing import assert_close

from tests.collect.test_cloze import model
from tests.runtime import clozes


@pytest.mark.slow
@pytest.mark.xdist_group("torchrun")
def test_world_size_is_not_a_hyperparameter(two):
    alone, log = clozes.learned()
    start = torch.cat([weight.detach().flatten() for weight in model().parameters()])
    assert (alone - start).abs().max() > 1e-2 and max(line["masks/asked"] for line in log) > 2
    for rank in range(2):
        moved, theirs = two[rank]["clozes"]
        assert_close(moved, alone, atol=1e-12, rtol=0)
        for name in ("masks/asked", "masks/valid", "groups/used", "rows/unscored"):
            assert [line.get(name) for line in log[1:]] == [line.get(name) for line in theirs[1:]], name
