"""The language of counted programs: what is read, what is refused, and what Dafny would not take either."""

import pytest

from rlft.verifiers.counted import Assigned, Looped, Unread, body_of, changed, head_of, holds
from rlft.verifiers.linear import Linear

HEAD = "method M(k: int, n: int) returns (r: int)\n  requires k <= n\n  ensures r == 2 + 3 * n - 3 * k"


def test_a_method():
    head = head_of(HEAD)
    assert (head.name, head.given, head.made) == ("M", ("k", "n"), ("r",))
    assert head.ensures[0].text == "r == 2 + 3 * n - 3 * k"
    assert head.ensures[0].each[0].right == Linear({"n": 3, "k": -3}, 2)
    body = body_of(head, "{ r := -2 * k; var i := k; while i != n invariant k <= i <= n { r := r + 1; } i := 0; }")
    assert body[0] == Assigned("r", Linear({"k": -2}))
    assert isinstance(body[2], Looped) and changed(body[2].body) == {"r"} and changed(body) == {"r", "i"}
    (chain,) = body[2].invariants
    assert [holds(chain, {"k": 1, "i": i, "n": 3}) for i in range(5)] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{ r := 1 }", "error"),
        ("{ r := q; }", "error"),
        ("{ k := 1; }", "error"),
        ("{ var r := 1; }", "error"),
        ("{ var while := 1; }", "error"),
        ("{ assume false; }", "error"),
        ("{ r := 1; } lemma L()", "refused"),
        ("{ while k <= r <= n { r := r + 1; } }", "refused"),
        ("{ while r == n { r := r + 1; } }", "refused"),
        ("{ while r < n { var t := 1; } }", "refused"),
        ("{ if k < r > n { } }", "refused"),
        ("{ r := 7 / 2; }", "refused"),
        ("{ r := (1); }", "error"),
        ("", "error"),
        ("{ // nothing\n }", "refused"),
        ("{:verify false} { }", "error"),
    ],
)
def test_what_is_not_read(text, word):
    with pytest.raises(Unread) as said:
        body_of(head_of(HEAD), text)
    assert said.value.word == word


@pytest.mark.parametrize(
    "text", [f"{HEAD} {{ }}", "method M() returns (r: int)", HEAD.replace("requires k", "requires r")]
)
def test_heads_that_are_none(text):
    with pytest.raises(Unread):
        head_of(text)
