"""Rewards of short strings, by hand and by what they must not give away."""

import math

import pytest
import torch

from rlft.rewards.strings import motif, random_network, unforeseeable
from rlft.types import Problem, UserError

BLANK = Problem(0, None)


def test_a_motif_is_counted_with_overlaps():
    found = motif(letters="AGA")([BLANK] * 4, ["AGAGAGA", "AGGA", "", "CAGA"])
    assert found.tolist() == [3, 0, 0, 1]
    with pytest.raises(UserError, match="one letter or more"):
        motif(letters="")


def test_a_hash_is_uniform_and_tells_nothing():
    strings = [f"{i:012b}" for i in range(4096)]
    found = unforeseeable(seed=3)([BLANK] * 4096, strings).double()
    assert float(found.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(found.std()) == pytest.approx(1 / math.sqrt(12), abs=0.01)
    assert found.min() >= 0 and found.max() < 1
    half = found.view(64, 64).mean(1)  # the mean of all that begin alike: no more spread than 64 draws have
    assert float(half.std()) == pytest.approx(1 / math.sqrt(12 * 64), rel=0.25)
    assert not torch.equal(unforeseeable(seed=4)([BLANK], ["a"]), unforeseeable(seed=3)([BLANK], ["a"]))


def test_a_random_network_by_hand():
    draws = torch.Generator().manual_seed(7)
    v, w, b = (torch.randn(s, generator=draws, dtype=torch.float64) for s in ((5,), (3, 2, 5), (5,)))
    expected = sum(
        float(v[j]) / math.sqrt(5) * math.tanh(2.0 / math.sqrt(3) * float(w[0, 1, j] + w[1, 0, j] + w[2, 1, j]) + b[j])
        for j in range(5)
    )
    reward = random_network(alphabet="XY", length=3, width=5, gain=2.0, seed=7)
    before = torch.get_rng_state()
    assert reward([BLANK] * 2, ["YXY", "YXX"])[0].item() == pytest.approx(expected, abs=1e-12)
    assert reward([BLANK] * 2, ["YXY", "YXX"])[1] != reward([BLANK], ["YXY"])[0]
    assert torch.equal(before, torch.get_rng_state())
    for wrong in ("YX", "YXZ"):
        with pytest.raises(UserError, match=f"'{wrong}' is no string of 3 letters of 'XY'"):
            reward([BLANK], [wrong])
