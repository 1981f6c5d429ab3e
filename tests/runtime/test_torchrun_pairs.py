"""A pair under torchrun: two processes, the numbers of one, roles exchanged everywhere at once."""

import pytest
from torch.testing import assert_close

from tests.pairs import table_trainer, weights
from tests.runtime.pairs import sgd


@pytest.mark.slow
@pytest.mark.xdist_group("torchrun")
def test_world_size_is_not_a_hyperparameter(two):
    alone = table_trainer(prompts=5, optimizer=sgd)
    start = [weights(member).clone() for member in alone.policy.members]
    log = list(alone.run(3))
    for member, before in zip(alone.policy.members, start, strict=True):
        assert (weights(member) - before).abs().max() > 1e-4
    for rank in range(2):
        moved, theirs, first = two[rank]["pairs"]
        assert first == alone.policy.first == 0  # exchanged before the second step and before the third
        assert_close(moved, weights(alone.policy), atol=1e-12, rtol=0)
        for here, there in zip(log, theirs, strict=True):
            timeless = [name for name in here if not name.startswith(("seconds", "decisions_per"))]
            mine, its = ([line[name] for name in timeless] for line in (here, there))
            assert_close(mine, its, atol=1e-6, rtol=0, equal_nan=True)
