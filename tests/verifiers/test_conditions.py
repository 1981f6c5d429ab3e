"""Conditions of counted programs: by hand, and Dafny says the same of programs with any mistakes in them."""

import random
import re

import pytest

from rlft.tasks.methods import ASPECTS, Methods, ways_of, written
from rlft.verifiers.conditions import AFTER, ENDS, ENTRY, KEPT, verified
from rlft.verifiers.dafny import Dafny
from tests.jails import needs_dafny, needs_jail

HEAD = "method M(k: int, n: int) returns (r: int)\n  requires k <= n\n  ensures r == 2 + 3 * n - 3 * k"
BODY = """{
  r := 2; var i := k;
  while i < n
    invariant k <= i <= n
    invariant r == 2 + 3 * i - 3 * k
  { r := r + 3; i := i + 1; }
}"""
SUM = "r == 2 + 3 * i - 3 * k"
WHOLE = "r == 2 + 3 * n - 3 * k"
# Dafny infers the constant bounds of a loop's variables, and here they are all that is needed.
INFERRED = {
    "returns (r: int) ensures r >= 0": "{ r := 0; var i := 0; while i < n { r := r + 2; i := i + 1; } }",
    "returns (r: int) requires 0 <= n ensures 3 * r <= n ensures n < 3 * r + 3": "{ r := 0; var left := n; "
    "while left >= 3 invariant n == 3 * r + left { left := left - 3; r := r + 1; } }",
    "returns (r: int) requires 0 <= n ensures r == n": "{ r := 0; var i := n; while i > 0 invariant r == n - i "
    "{ r := r + 1; i := i - 1; } }",
}


@pytest.mark.parametrize(
    ("old", "new", "faults"),
    [
        ("", "", []),
        ("i < n\n", "i != n\n", []),
        ("r := 2", "r := 3", [(ENTRY, SUM)]),
        ("    invariant k <= i <= n\n", "", [(AFTER, WHOLE)]),
        (f"    invariant {SUM}\n", "", [(AFTER, WHOLE)]),
        ("r + 3", "r + 4", [(KEPT, SUM)]),
        ("i < n\n", "i <= n\n", [(KEPT, "k <= i <= n")]),
        ("<= i <= n", "<= i < n", [(ENTRY, "k <= i < n"), (KEPT, "k <= i < n")]),
        ("i + 1", "i", [(KEPT, SUM), (ENDS, "i < n")]),
        ("{ r := r + 3; i := i + 1; }", "{ if i < n { r := r + 3; } i := i + 1; }", []),
        ("{ r := r + 3; i := i + 1; }", "{ if i < k { r := r + 3; } i := i + 1; }", [(KEPT, SUM)]),
    ],
)
def test_one_change(old, new, faults):
    text = BODY.replace(old, new) if old else BODY
    found = verified(HEAD, text)
    assert found.reason == ("unproved" if faults else "proved")
    assert found.detail == "; ".join(f"{said}: {about}" for said, about in faults)


def test_what_has_no_verdict():
    assert verified("nothing", BODY).ok is None
    assert verified(HEAD, "{ assume false; }").reason == "error"
    assert verified(HEAD, "{ r := n * n; }").ok is False
    assert verified(HEAD, "").reason == "error"


def test_constant_bounds_are_inferred():
    for head, body in INFERRED.items():
        assert verified(f"method M(n: int) {head}", body).ok, head
    head, body = next(iter(INFERRED.items()))
    assert not verified(f"method M(n: int) {head}", body.replace("r + 2", "r - 2")).ok


def programs(seed, count):
    """Heads and bodies, with mistakes of all kinds, a third without."""
    draw = random.Random(seed)
    for index in range(count):
        problem = Methods().at(draw.randrange(10**6))
        way, sums = ways_of(problem)
        body = written(way, sums, draw.sample(ASPECTS, draw.choice((0, 0, 1, 2))), draw)
        if index % 4 == 3:  # a number, a name or a sign is another
            spots = list(re.finditer(r"(?<![\w])[\dkni](?!\w)|<=|(?<= )[-+](?= )", body))
            spot = draw.choice(spots)
            other = draw.choice("0123" if spot[0].isdigit() else "kni" if spot[0].isalpha() else "+-")
            body = body[: spot.start()] + (">=" if spot[0] == "<=" else other) + body[spot.end() :]
        yield problem.columns["header"], body


@needs_dafny
@needs_jail
def test_dafny_says_the_same():
    """Of all methods at once, as each start of Dafny takes a second; of some hundred others it was asked once."""
    rows = [(head, body) for head, body in programs(7, 32)]
    rows += [(f"method M(n: int) {head}", body) for head, body in INFERRED.items()]
    own = [verified(*row) for row in rows]
    rows, own = zip(
        *[pair for pair in zip(rows, own, strict=True) if pair[1].reason in ("proved", "unproved")], strict=True
    )
    lines, ends = [], []
    for place, (head, body) in enumerate(rows):
        lines += f"{head.replace('method M', f'method M{place}')}\n{body}".splitlines()
        ends.append(len(lines))
    dafny = Dafny(seconds=60.0)
    _, said, _ = dafny._ran(dafny._commands[0], "\n".join(lines), verify=True)
    assert "verified" in said
    wrong = {
        next(p for p, end in enumerate(ends) if int(line) <= end) for line in re.findall(r"\((\d+),\d+\): Error", said)
    }
    assert [one.ok for one in own] == [place not in wrong for place in range(len(rows))]
    assert len(rows) > 25 and 8 < len(wrong) < len(rows) - 8
