"""A group baseline for rewards of decisions: by hand, and what it is where the reward comes at the end."""

import math

import torch
from torch.testing import assert_close

from rlft import advantages as adv
from rlft.advantages.process import to_go_zscore
from rlft.runtime.local import Local
from tests.advantages.test_advantages import rows, t

MASK = [[True, True, False], [True, True, True]]


def test_what_is_still_to_come():
    # rewards 5 and 2: mean 3.5, deviation sqrt(4.5)
    r = rows([5.0, 2.0], MASK).fill(reward_at=t([[1.0, 4.0, 0.0], [0.0, -1.0, 3.0]]))
    assert_close(
        to_go_zscore(r, Local()) * math.sqrt(4.5), t([[1.5, 0.5, -3.5], [-1.5, -1.5, -0.5]]) * torch.ones(2, 3)
    )


def test_at_the_end_it_is_zscore():
    r = rows([5.0, 2.0, 1.0, math.nan], [*MASK, *MASK])
    found, plain = to_go_zscore(r, Local()), adv.per_group(adv.zscore)(r, Local())
    on = r.mask
    assert_close(found[on], plain[:, None].expand_as(found)[on], equal_nan=True)
    assert not to_go_zscore(rows([2.0, 2.0], MASK), Local()).any()
