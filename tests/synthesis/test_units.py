"""Units of critiques: what is read off replies, and how several critics' are put together."""

import pytest

from rlft.synthesis.units import Unit, backed, filtered, told, united, units_in, weight

A, B, C = Unit("step 1", "sign", 2.0), Unit("step 2", "carry", 1.0), Unit("step 3", "sign", 4.0)


def test_what_is_read():
    assert units_in(told([A, B])) == (A, B)
    assert units_in('<think>{"units": [1]}</think>So: {"units": [{"place": 3, "kind": "Sign", "note": "off"}]}') == (
        Unit("3", "Sign", 1.0, "off"),
    )
    assert units_in('{"units": []}') == ()


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "all is well",
        '{"units": "none"}',
        '{"units": [{"place": "1"}]}',
        '{"units": [{"place": "1", "kind": "x", "severity": 0}]}',
        '{"units": [{"place": "1", "kind": "x", "severity": true}]}',
        '{"units": [{"place": "1", "kind": "x", "severity": 1e999}]}',
    ],
)
def test_what_cannot_be_read(reply):
    assert units_in(reply) is None


def test_a_union_has_each_unit_once_as_it_was_first_said():
    again = Unit(" Step  1", "SIGN", 9.0, "the same")
    assert united([[A, B], [again, C]]) == (A, B, C)
    assert united([[again], [A]]) == (again,)
    assert united([]) == ()


def test_backed_goes_from_the_union_to_the_intersection():
    said = [[A, B], [A, C], [A, B]]
    assert [backed(said, least) for least in (1, 2, 3, 4)] == [(A, B, C), (A, B), (A,), ()]
    assert backed([[A, A], [B]], 2) == ()  # a critic who says it twice is one critic


def test_what_a_meta_critic_makes_of_it():
    assert filtered([A, B, C], [True, False, True]) == (A, C)
    taken = {A.key: True, B.key: False, C.key: True}
    assert weight([A, B, C], taken) == 6.0  # a further unit never hurts
    assert weight([A, B, C], taken, against=0.5) == 5.5
    assert weight([], taken) == 0
