"""Noise: Philox against the published test vectors, and what makes a row its own."""

import math
from dataclasses import replace

import numpy as np
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
        monkeypatch.setattr(noise, "philox", lambda counter, key, w=word: [c * 0 + w for c in counter])
        monkeypatch.setattr(noise, "_philox_words", lambda counter, *key, w=word: [np.full((1, 1), w, np.uint64)] * 4)
        assert float(uniform(torch.tensor([1]), 1)) == expected
        assert float(noise._by_torch(torch.tensor([1]), torch.tensor([0]), 1, 0)) == expected
    assert normal(torch.tensor([1]), 1, (2,)).isfinite().all()


@pytest.mark.parametrize("width", [1, 2, 5, 4099])
def test_numpy_makes_the_bits_of_torch(width, monkeypatch):
    """At whatever number of rows at a time; keys and decisions may be negative or above 32 bits."""
    keys, places = torch.tensor([3, 2**62 + 12345, -7]), torch.tensor([0, 7, -1, 2**40 + 1])
    torchs = noise._by_torch(keys, places, width, 2)
    assert torchs.shape == (3, 4, width)
    for cached in (4096, 3, 1):
        monkeypatch.setattr(noise, "_CACHED", cached)
        assert torch.equal(noise._doubles(keys, places, width, 2), torchs)


@pytest.mark.parametrize(("rows", "decisions", "width"), [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_nothing_is_asked_for(rows, decisions, width):
    assert normal(torch.arange(rows), decisions, (width,)).shape == (rows, decisions, width)
