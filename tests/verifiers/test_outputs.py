"""What is equal to what was expected, by hand."""

import pytest

from rlft.verifiers.outputs import NOTHING, read_value, same_text, same_value


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("3\n", "3", True),
        ("3", "3\n\n", True),
        ("1 2\n3", "1 2 \n3\n", True),
        ("1 2\n3", "1 2 3", False),
        ("1  2", "1 2", True),
        ("1.50", "1.5", True),
        ("1", "1.0", True),
        ("1", "+1", True),
        ("0.1", "0.10000000000000001", False),
        ("1000000", "1e6", True),
        ("YES", "yes", False),
        ("3", "", False),
        ("", "", True),
        ("", "x", False),
        ("nan", "NaN", False),
        ("1", "1_0", False),
        ("1", "1e999999999", False),
        ("1", "9" * 10**6, False),
        ("1", "١", False),  # a digit elsewhere
    ],
)
def test_texts(expected, printed, same):
    assert same_text(expected, printed) is same


def test_texts_with_a_tolerance():
    assert same_text("0.5", "0.5000009", 1e-6)
    assert not same_text("0.5", "0.5000011", 1e-6)
    assert same_text("2000", "2000.0019", 1e-6)  # relative, 0.002
    assert not same_text("2000", "2000.0021", 1e-6)
    assert not same_text("a 1", "b 1", 1e-6)


@pytest.mark.parametrize(
    ("expected", "given", "same"),
    [
        (3, 3, True),
        (3, 3.0, True),
        (1, True, False),
        (True, True, True),
        (False, 0, False),
        (None, None, True),
        (None, False, False),
        ("3", 3, False),
        ("a", "a", True),
        ([1, [2]], [1, [2]], True),
        ([1, 2], [1], False),
        ([1, 2], [2, 1], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        ([], {}, False),
        (0.3, 0.1 + 0.2, False),
        (float("nan"), float("nan"), False),
        (1, NOTHING, False),
        (None, NOTHING, False),
    ],
)
def test_values(expected, given, same):
    assert same_value(expected, given) is same


def test_values_with_a_tolerance():
    assert same_value(0.3, 0.1 + 0.2, 1e-9)
    assert not same_value(3, 4, 10.0)  # whole numbers are exact
    assert same_value([1.0], [1.0000005], 1e-6)


def test_what_is_no_value():
    deep = "[" * 100_000
    assert [read_value(text) for text in ("", "x", "9" * 5000, deep)] == [NOTHING] * 4
    nested = read_value("[" * 50 + "]" * 50)
    assert same_value(nested, nested)
