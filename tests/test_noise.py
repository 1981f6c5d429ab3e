"""Noise: Philox against the published test vectors, and what makes a row its own."""

import math
from dataclasses import replace

import pytest
import torch

from rlft import noise
from rlft.noise import hashed, normal, philox, row_keys, uniform
from rlft.types import Problem


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123's kat_vectors, philox4x32 10
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    out = philox([torch.tensor([c]) for c in counter], [torch.tensor([k]) for k in key])
    assert [int(word) for word in out] == expected


def test_a_row_is_the_same_whoever_draws_it():
    problems = [Problem(index=i, input=None) for i in range(4)]
    keys = row_keys(problems, group=3, seed=7)
    alone = row_keys([problems[2]], group=3, seed=7)
    assert torch.equal(keys[6:9], alone)
    assert torch.equal(uniform(keys, 5)[6:9], uniform(alone, 5))
    # decisions drawn in pieces are those drawn at once
    pieces = torch.cat([normal(keys, torch.tensor([d]), (3,)) for d in range(5)], dim=1)
    assert torch.equal(normal(keys, 5, (3,)), pieces)


def test_every_word_of_the_key_counts():
    problem = Problem(index=1, input=None)
    variants = [
        problem,
        *(replace(problem, **c) for c in ({"index": 2}, {"visit": 1}, {"split": "test"}, {"task": "b"})),
    ]
    keys = [int(row_keys([v], 1, seed=0)) for v in variants]
    keys += [int(row_keys([problem], 1, seed=1)), *row_keys([problem], 3, seed=0)[1:].tolist()]
    assert len(set(keys)) == len(keys) == 8
    assert hashed("a", "bc") != hashed("ab", "c")


def test_streams_and_moments():
    keys = row_keys([Problem(index=i, input=None) for i in range(500)], group=2, seed=3)
    u, z = uniform(keys, 40), normal(keys, 20, (3,))
    n = u.numel()
    assert 0 < u.min() and u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * math.sqrt(1 / 12 / n)
    assert abs(z.mean()) < 4 / math.sqrt(z.numel())
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / z.numel())
    assert abs((z[..., 0] * z[..., 1]).mean()) < 4 / math.sqrt(z[..., 0].numel())
    assert abs((u * uniform(keys, 40, stream=1)).mean() - 0.25) < 4 * 0.22 / math.sqrt(n)
    assert z.shape == (1000, 20, 3)


def test_the_extremes_stay_inside(monkeypatch):
    """All bits one, all bits zero: with 53 bits the largest would round to 1."""
    for word, expected in ((0xFFFFFFFF, 1 - 2.0**-53), (0, 2.0**-53)):
        monkeypatch.setattr("rlft.noise.philox", lambda counter, key, w=word: [c * 0 + w for c in counter])
        assert float(uniform(torch.tensor([1]), 1)) == expected
    monkeypatch.setattr("rlft.noise.philox", lambda counter, key: [c * 0 for c in counter])
    assert normal(torch.tensor([1]), 1, (2,)).isfinite().all()


def test_wide_events_have_the_bits_of_narrow_ones(monkeypatch):
    """Made by NumPy a row at a time, from wherever on."""
    keys, places = torch.tensor([3, 2**62 + 12345]), torch.tensor([0, 7])
    wide = normal(keys, places, (4099,), 2)
    monkeypatch.setattr(noise, "_WIDE", 10**9)
    assert torch.equal(normal(keys, places, (4099,), 2), wide)
    monkeypatch.setattr(noise, "_WIDE", 1)
    assert torch.equal(normal(keys, places, (4099,), 2), wide)
