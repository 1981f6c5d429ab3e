"""Measures of what an update did to weights, against numbers worked out by hand and identities."""

from __future__ import annotations

import math

import pytest
import torch

from rlft.measure.weights import (
    angles,
    by_chance,
    directions,
    drift,
    jaccard,
    largest,
    overlap,
    smallest,
    unchanged,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def orthogonal(size, seed):
    return torch.linalg.qr(drawn(size, size, seed=seed)).Q


def test_unchanged_is_equality_of_bits():
    """Every pair of neighbours among the normal positive numbers of bfloat16 counts as a change."""
    bits = torch.arange(0x0080, 0x7F80, dtype=torch.int16).view(torch.bfloat16).float()
    assert not unchanged(bits[:-1], bits[1:]).any() and unchanged(bits, bits).all()
    # A step below half a unit in the last place is rounded away: 1 + 2^-9 is 1 and 1 + 3 * 2^-9 is 1 + 2^-7.
    moved = 1 + torch.tensor([2.0**-9, 3 * 2.0**-9])
    assert unchanged(torch.ones(2), moved).tolist() == [True, False]
    assert unchanged(torch.zeros(2), torch.tensor([0.0, 1e-30])).tolist() == [True, False]
    assert unchanged(torch.ones(1), moved[1:], eta=0.1).all()


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5)])
def test_directions_are_those_of_the_decomposition(shape):
    matrix = drawn(*shape)
    found, (u, s, vt) = directions(matrix, 3), torch.linalg.svd(matrix, full_matrices=False)
    assert torch.allclose(found.values, s, rtol=1e-8, atol=1e-8 * float(s[0]))
    assert torch.allclose(found.reconstructed(), u[:, :3] * s[:3] @ vt[:3], atol=1e-10)
    assert torch.allclose(found.left.T @ found.left, torch.eye(3, dtype=torch.float64), atol=1e-10)
    assert found.left.shape == (shape[0], 3) and found.right.shape == (shape[1], 3)


def test_nothing_moved():
    matrix = drawn(6, 4)
    one = directions(matrix, 2)
    assert drift(one.values, one.values) == 0 and unchanged(matrix, matrix).all()
    assert angles(one.left, one.left).max() < 1e-6


def test_drift_by_hand_and_its_bound():
    assert drift(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5])) == pytest.approx(0.1)
    before, change = drawn(6, 4), 0.1 * drawn(6, 4, seed=1)
    found = drift(directions(before, 1).values, directions(before + change, 1).values)
    assert 0 < found < float(change.norm() / before.norm())


def test_drift_forgets_rotations_and_angles_do_not():
    before = drawn(6, 4)
    after = orthogonal(6, 2) @ before @ orthogonal(4, 3)
    one, other = directions(before, 2), directions(after, 2)
    assert drift(one.values, other.values) < 1e-10
    assert angles(one.left, other.left).max() > 10 and angles(one.right, other.right).max() > 10


def test_angles_by_hand():
    """Two planes of space that share an axis and are turned by 30 degrees about it; and angles that a cosine loses."""
    turned = math.radians(30)
    one = torch.tensor([[1.0, 0], [0, 1], [0, 0]], dtype=torch.float64)
    other = torch.tensor([[1.0, 0], [0, math.cos(turned)], [0, math.sin(turned)]], dtype=torch.float64)
    assert torch.allclose(angles(one, other), torch.tensor([30.0, 0.0], dtype=torch.float64), atol=1e-6)
    tiny = torch.tensor([[1.0], [1e-9]], dtype=torch.float64)
    assert angles(torch.tensor([[1.0], [0.0]], dtype=torch.float64), tiny).item() == pytest.approx(math.degrees(1e-9))


def test_a_move_inside_the_subspace_turns_nothing():
    """It changes the first values, keeps the gap, and leaves the first directions' subspace where it was."""
    u, v = orthogonal(6, 4)[:, :4], orthogonal(4, 5)
    before = u @ torch.diag(torch.tensor([5.0, 4.0, 1.0, 0.5], dtype=torch.float64)) @ v.T
    after = before + 0.3 * u[:, :2] @ torch.tensor([[1.0, 0.4], [-0.2, 0.5]], dtype=torch.float64) @ v[:, :2].T
    one, other = directions(before, 2), directions(after, 2)
    assert drift(one.values, other.values) > 0.01
    assert angles(one.left, other.left).max() < 1e-6 and angles(one.right, other.right).max() < 1e-6


def test_masks_by_size():
    matrix = torch.tensor([[3.0, -1.0], [0.5, -4.0], [0.5, 2.0]])
    assert largest(matrix, 1 / 3).tolist() == [[True, False], [False, True], [False, False]]
    assert smallest(matrix, 1 / 3).tolist() == [[False, False], [True, False], [True, False]]
    assert smallest(matrix, 1 / 6).tolist() == [[False, False], [True, False], [False, False]]  # the first of equals
    full = directions(drawn(6, 4), 4)
    assert torch.equal(largest(full.reconstructed(), 0.3), largest(drawn(6, 4), 0.3))
    assert not (largest(drawn(6, 4), 0.4) & smallest(drawn(6, 4), 0.4)).any()


def test_overlaps_by_hand_and_by_chance():
    mask = torch.tensor([True, True, False, False])
    changed = torch.tensor([True, False, True, True])
    assert overlap(mask, changed) == pytest.approx(1 / 3) and jaccard(mask, changed) == pytest.approx(1 / 4)
    assert math.isnan(overlap(mask, torch.zeros(4, dtype=torch.bool)))
    assert math.isnan(jaccard(*torch.zeros(2, 4, dtype=torch.bool)))
    assert by_chance(0.5, 0.5) == pytest.approx(1 / 3) and math.isnan(by_chance(0.0, 0.0))
    p, q, count = 0.3, 0.6, 200_000
    draws = torch.rand(2, count, generator=torch.Generator().manual_seed(0))
    one, other = draws[0] < p, draws[1] < q
    assert overlap(one, other) == pytest.approx(p, abs=0.005)
    assert jaccard(one, other) == pytest.approx(by_chance(p, q), abs=0.005)
