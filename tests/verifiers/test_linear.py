"""Integer linear systems: the Omega test against a look at every point of a box."""

import itertools
import random

import pytest

from rlft.verifiers.linear import Linear, possible, variable


def value(row, point):
    return row.constant + sum(factor * point[name] for name, factor in row.terms.items())


@pytest.mark.parametrize("seed", range(4))
def test_against_every_point_of_a_box(seed):
    draw, both = random.Random(seed), set()
    for _ in range(150):
        names = "xyz"[: draw.randint(1, 3)]
        rows = [
            Linear({name: factor for name in names if (factor := draw.randint(-4, 4))}, draw.randint(-9, 9))
            for _ in range(draw.randint(0, 6))
        ]
        equal, most = rows[: draw.choice((0, 0, 1, 2))], rows[2:]
        box = [Linear({name: sign}, -3) for name in names for sign in (1, -1)]
        points = (dict(zip(names, point, strict=True)) for point in itertools.product(range(-3, 4), repeat=len(names)))
        seen = any(all(value(r, p) == 0 for r in equal) and all(value(r, p) <= 0 for r in most) for p in points)
        assert possible(equal, [*most, *box]) == seen, (equal, most)
        both.add(seen)
    assert both == {True, False}


def test_what_real_numbers_solve_and_integers_do_not():
    x, y = variable("x"), variable("y")
    half = Linear({"x": 2}, -1)
    assert not possible([half], []) and not possible([], [half, half.times(-1)])
    assert not possible([x.times(6).plus(y.times(9)).plus(Linear({}, -4))], [])
    assert possible([x.times(6).plus(y.times(9)).plus(Linear({}, -3))], [])
    # Pugh's: 27 <= 11 x + 13 y <= 45 and -10 <= 7 x - 9 y <= 4 have a real solution and no integer one
    one, other = x.times(11).plus(y.times(13)), x.times(7).plus(y.times(-9))
    bounds = [
        Linear({}, 27).plus(one, -1),
        one.plus(Linear({}, -45)),
        Linear({}, -10).plus(other, -1),
        other.plus(Linear({}, -4)),
    ]
    assert not possible([], bounds)
    assert possible([], [*bounds[:3], other.plus(Linear({}, -6))])  # 2 and 1: 35 and 5


def test_arithmetic():
    x = variable("x")
    assert x.plus(x, -1) == Linear()
    assert Linear({"x": 2, "y": 1}, 3).put({"x": Linear({"y": -1}, 4)}) == Linear({"y": -1}, 11)
    assert possible([], []) and not possible([], [Linear({}, 1)]) and not possible([Linear({}, 1)], [])
