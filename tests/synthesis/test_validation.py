"""Verdicts, who is kept, and what filtering does to the share of bad ones: in closed form and by simulation."""

import math

import pytest
import torch

from rlft.errors import UserError
from rlft.synthesis.validation import Verdict, bad_share, kept, verdict, why_not

GOOD, WRONG, ILL = Verdict(True, True), Verdict(True, False), Verdict(False, True)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('It is 7.\n{"valid": true, "correct": false}', WRONG),
        ('<think>{"valid": false, "correct": false}</think> {"valid": true, "correct": true}', GOOD),
        ('{"valid": true, "correct": true} no, wait: {"valid": false, "correct": true, "why": "{}"}', ILL),
        ('```json\n{"valid": true, "correct": true}\n```', GOOD),
        ('{"valid": "true", "correct": true}', None),
        ('{"valid": true}', None),
        ('{"valid": true, "correct": tr', None),
        ("yes", None),
        (None, None),
    ],
)
def test_a_verdict_is_read(reply, found):
    assert verdict(reply) == found


def test_all_must_take_it():
    assert kept([]) and kept([GOOD, GOOD])
    for against, why in (([GOOD, WRONG], "incorrect"), ([ILL, WRONG], "invalid"), ([GOOD, None], "unread verdict")):
        assert not kept(against) and why_not(against) == why


def test_bad_ones_among_the_kept():
    """b·a1·a2/(b·a1·a2 + (1 - b)·t1·t2), by hand and by drawing; one that takes all changes nothing."""
    assert bad_share(0.3, [], []) == pytest.approx(0.3)
    assert bad_share(0.3, [0.4], [0.9]) == pytest.approx(0.12 / 0.75)
    assert bad_share(0.3, [0.4, 0.5], [0.9, 0.8]) == pytest.approx(0.06 / (0.06 + 0.504))
    assert bad_share(0.3, [0.4, 1.0], [0.9, 1.0]) == bad_share(0.3, [0.4], [0.9])
    assert bad_share(0.3, [0.4, 0.4], [0.9, 0.9]) < bad_share(0.3, [0.4], [0.9]) < 0.3
    assert math.isnan(bad_share(0.5, [0.0], [0.0]))
    draws = torch.rand(400_000, 3, generator=torch.Generator().manual_seed(0))
    bad = draws[:, 0] < 0.3
    taken = (draws[:, 1] < torch.where(bad, 0.4, 0.9)) & (draws[:, 2] < torch.where(bad, 0.5, 0.8))
    assert bad[taken].float().mean().item() == pytest.approx(bad_share(0.3, [0.4, 0.5], [0.9, 0.8]), abs=0.003)
    for told in ((1.2, [], []), (0.3, [0.4], []), (0.3, [0.4], [-0.1])):
        with pytest.raises(UserError, match="from 0 to 1"):
            bad_share(*told)
