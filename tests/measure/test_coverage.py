"""Different ways to succeed, counted by hand."""

import torch

from rlft.measure.coverage import coverage
from rlft.types import Problem


def test_by_hand():
    first, second, again = Problem(0, None), Problem(1, None), Problem(0, None, visit=1)
    problems = [first] * 4 + [second] * 2 + [again]
    # right: a, a, b of the first; none of the second; a of the first's second visit
    outputs = ["a+", "a+", "b+", "c-", "a-", "a-", "a+"]
    measure = coverage(
        lambda problems, outputs: [float(o[1] == "+") for o in outputs],
        lambda problems, outputs: torch.tensor([ord(o[0]) for o in outputs]),
    )
    assert measure(problems, outputs) == {"coverage": (2 + 0 + 1) / 3, "behaviours": (3 + 1 + 1) / 3}
