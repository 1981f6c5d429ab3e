"""What is proved at once: against known theorems, and against all small numbers."""

import random

import numpy as np
import pytest

from rlft.verifiers.deciding import lia, tauto
from rlft.verifiers.formulas import AND, FALSE, IMPLIES, OR, AtMost, Formula, Joined, Letter, read


@pytest.mark.parametrize(
    ("text", "by_tauto", "by_lia"),
    [
        ("p -> p", True, False),
        ("False -> p", True, True),
        ("p \\/ ~ p", False, False),  # classical logic
        ("~ ~ (p \\/ ~ p)", True, False),
        ("((p -> q) -> p) -> p", False, False),  # Peirce
        ("((((p -> q) -> p) -> p) -> q) -> q", True, False),
        ("(p \\/ q -> r) -> (p -> r) /\\ (q -> r)", True, False),
        ("((p -> q) -> r) -> (p -> r) -> q -> r", True, False),
        ("((p -> q) -> r) -> p -> r", False, False),
        ("~ (p /\\ q) -> ~ p \\/ ~ q", False, False),
        ("(p /\\ q -> r) -> p -> q -> r", True, False),
        ("x <= y \\/ y <= x", False, True),
        ("~ ~ (x <= y) -> x <= y", False, True),
        ("x + 1 <= y -> y + 1 <= z -> x + 2 <= z", False, True),
        ("x + 1 <= y -> y + 1 <= z -> x + 3 <= z", False, False),
        ("x + 1 <= x -> p", False, True),
        ("x <= y -> p -> x <= y /\\ p", True, False),  # a letter that lia does not look through
        ("x <= y -> p -> x <= y + 1 /\\ p", False, False),
        ("(x <= y -> p) -> (y <= x -> p) -> p", False, False),
        ("(x <= y -> z + 1 <= y) -> (y + 1 <= x -> z + 2 <= y) -> z + 1 <= y", False, True),
        ("(p -> x <= y) -> y + 1 <= x -> ~ p", False, False),
        ("x <= y -> x <= y \\/ p", True, True),
    ],
)
def test_known_ones(text, by_tauto, by_lia):
    assert (tauto([], read(text)), lia([], read(text))) == (by_tauto, by_lia)


def test_what_is_known_counts():
    assert tauto([read("p -> q"), read("p")], read("q"))
    assert lia([read("x <= y"), read("~ (x <= z)")], read("z <= y"))
    assert not lia([read("x <= y")], read("z <= y"))


X, Y, Z = np.mgrid[0:9, 0:9, 0:9]


def true(formula: Formula, letters: dict[str, bool]) -> np.ndarray:
    """Whether it is true, for all numbers up to 8; no circle of three bounds of at most 3 needs larger ones."""
    numbers = {"x": X, "y": Y, "z": Z}
    if isinstance(formula, Letter):
        return np.full(X.shape, letters.get(formula.name, False))
    if isinstance(formula, AtMost):
        return numbers[formula.left] + formula.plus <= numbers[formula.right] + formula.more
    left, right = true(formula.left, letters), true(formula.right, letters)
    return {IMPLIES: ~left | right, AND: left & right, OR: left | right}[formula.sign]


def drawn(draw: random.Random, size: int, letters: str) -> Formula:
    if size == 0:
        if draw.random() < 0.1:
            return FALSE
        if letters and draw.random() < 0.4:
            return Letter(draw.choice(letters))
        left, right = draw.choices("xyz", k=2)
        return AtMost(left, draw.randint(0, 2), right, draw.randint(0, 2))
    part = draw.randrange(size)
    sign = draw.choice((IMPLIES, IMPLIES, AND, OR))
    return Joined(sign, drawn(draw, part, letters), drawn(draw, size - 1 - part, letters))


def test_lia_is_right_about_all_small_numbers():
    draw = random.Random(0)
    verdicts = []
    for _ in range(300):
        formula = drawn(draw, draw.randint(1, 6), "")
        verdicts.append(lia([], formula))
        assert verdicts[-1] == bool(true(formula, {}).all()), formula
    assert 60 < sum(verdicts) < 240


def test_both_are_sound():
    draw = random.Random(1)
    found = 0
    for _ in range(300):
        formula = drawn(draw, draw.randint(1, 5), "pq")
        if tauto([], formula) or lia([], formula):
            found += 1
            for number in range(4):
                assert true(formula, {"p": bool(number & 1), "q": bool(number & 2)}).all(), formula
    assert found > 50
