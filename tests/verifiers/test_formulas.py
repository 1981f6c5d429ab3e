"""Formulas as Coq writes them."""

import pytest

from rlft.errors import UserError
from rlft.verifiers.formulas import AND, FALSE, IMPLIES, OR, AtMost, Joined, Letter, names, negated, read, written

P, Q, R = map(Letter, "pqr")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("p -> q /\\ r \\/ p", Joined(IMPLIES, P, Joined(OR, Joined(AND, Q, R), P))),
        ("p -> q -> r", Joined(IMPLIES, P, Joined(IMPLIES, Q, R))),
        ("(p -> q) -> r", Joined(IMPLIES, Joined(IMPLIES, P, Q), R)),
        ("(p /\\ q) /\\ r", Joined(AND, Joined(AND, P, Q), R)),
        ("~ p /\\ ~ ~ q", Joined(AND, negated(P), negated(negated(Q)))),
        ("~ (p \\/ False)", negated(Joined(OR, P, FALSE))),
        ("x + 2 <= y", AtMost("x", 2, "y", 0)),
        ("~ (x <= y + 1)", negated(AtMost("x", 0, "y", 1))),
        ("~ x <= y", negated(AtMost("x", 0, "y", 0))),
        ("p -> False", negated(P)),
    ],
)
def test_there_and_back(text, formula):
    assert read(text) == formula
    assert read(written(formula)) == formula


def test_as_little_is_bracketed_as_can_be():
    for text in (
        "p -> q -> r",
        "p /\\ q /\\ r",
        "(p \\/ q) -> r",
        "~ (p -> q)",
        "~ (x <= y + 1)",
        "(~ p -> q) -> ~ ~ r",
    ):
        assert written(read(text)) == text


def test_names():
    assert names(read("q -> x <= y \\/ ~ p /\\ q")) == ["q", "x", "y", "p"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p ->", "ends too early"),
        ("p q", "nothing should stand behind a formula; got 'q'"),
        ("p = q", "the signs"),
        ("(p -> q", "ends too early"),
        ("(p q)", "closed before 'q'"),
        ("/\\ p", "begins with a name"),
        ("x <= 3", "behind <= stands a name; got '3'"),
        ("p + 2", "got '. 2'"),
    ],
)
def test_what_is_none(text, told):
    with pytest.raises(UserError, match=told):
        read(text)
