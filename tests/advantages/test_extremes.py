"""The best and the worst of a group, by hand."""

import torch

from rlft.advantages.extremes import chosen

NAN = float("nan")


def test_best_if_good_enough_and_worst_if_bad_enough():
    credit = torch.tensor(
        [
            [0.6, 0.5, -0.4, -0.6],  # both
            [0.4, 0.3, -0.9, -0.8],  # no good one
            [0.9, 0.5, 0.7, -0.5],  # the worst is not below -0.5
            [0.5, 0.5, 0.5, 0.5],  # the first of equals
            [NAN, 0.2, 2.0, -3.0],
            [NAN, NAN, NAN, NAN],
        ]
    )
    kept = [[0, 3], [2], [0], [0], [2, 3], []]
    assert [row.nonzero()[:, 0].tolist() for row in chosen(credit, 0.5)] == kept
