"""Programs with contracts; cheats earn nothing here, and Dafny says of each "0 errors"."""

import re

import pytest

from rlft.verifiers.dafny import Contract, Dafny, _fault, _Item, _items, dafny_in
from tests.jails import needs_dafny, needs_jail

SUM = Contract(
    "method Sum(n: nat) returns (s: nat)\n  ensures s == Gauss(n)",
    "function Gauss(n: nat): nat { n * (n + 1) / 2 }",
)
LOOP = """{
  s := 0;
  var i := 0;
  while i < n
    invariant 0 <= i <= n && s == i * (i + 1) / 2
  { i := i + 1; s := s + i; }
}"""
# There is no contract but what these callers need.
CLIENT = Contract(
    client="method Client(a: int) { var m := Max(3, 5); assert m == 5; m := Max(a, a + 1); assert m > a; }"
)
MAX = "{ if a > b { m := a; } else { m := b; } }"


@pytest.fixture(scope="module")
def dafny():
    return Dafny(seconds=20.0)


@needs_dafny
@needs_jail
def test_programs(dafny):
    most = "method Max(a: int, b: int) returns (m: int)"
    cases = [
        (SUM, f"```dafny\n{LOOP}\n```", "proved"),
        (SUM, LOOP.replace("s + i", "s + 1"), "unproved"),
        (SUM, LOOP.replace("s := 0;", "s := 0"), "error"),
        (SUM, "", "other"),
        (CLIENT, f"{most} ensures m >= a && m >= b && (m == a || m == b) {MAX}", "proved"),
        (CLIENT, f"{most} {MAX}", "unproved"),  # it is right, and its contract says nothing
        (CLIENT, f"{most} requires a == 3 ensures m == 5 {MAX}", "unproved"),
        (Contract(), "method A() {}", "unreadable"),
        (Contract("method A("), "method A() {}", "unreadable"),
    ]
    found = dafny.check([(task, dafny_in(text)) for task, text, _ in cases])
    assert [one.reason for one in found] == [reason for _, _, reason in cases], found
    assert "expected" in found[2].detail
    assert [one.ok for one in found[-2:]] == [None, None]


CHEATS = {
    "lemma Assumed(n: nat) ensures n == 0 { assume false; }": "assumes",
    "lemma {:axiom} Axiom(n: nat) ensures n == 1 {}": "assumes",
    "lemma Bodiless(n: nat) ensures n == 2": "assumes",
    "function Nothing(n: nat): nat ensures Nothing(n) == 3": "assumes",
    "method {:verify false} Unread(n: nat) ensures n == 4 {}": "assumes",
    "method {:extern} Outside(n: nat) ensures n == 5": "assumes",
    "method Endless(n: nat) ensures n == 6 decreases * { while true decreases * {} }": "assumes",
    "method Braces(n: nat) returns (s: set<int>) ensures s == {7}": "assumes",
    "module Hidden { lemma L() ensures false }": "refused",
    "class Other { lemma L() ensures false }": "refused",
    "type Empty": "refused",
    "const False: int := 8": "refused",
}


@needs_dafny
@needs_jail
def test_cheats(dafny):
    """Dafny reads all of them at once, and each is judged as what was found between the task's own items."""
    own = [_Item("function Gauss(n: nat): nat", "{\n  n\n}")]
    method = _Item("method Sum(n: nat) returns (s: nat)", "{\n  s := 0;\n}")
    _, said, items = dafny._ran(dafny._commands[0], "\n".join(CHEATS), verify=False)
    assert len(items) == len(CHEATS), said
    for text, reason in CHEATS.items():
        name = re.sub(r"\{:.*?\}", "", text).split("(")[0].split()[1].strip(":")
        item = next(item for item in items if name in item.head)
        fault = _fault([*own, item, method], method.head, own, "")
        assert fault is not None, text
        assert fault.reason == reason, (text, fault)
    assert _fault([*own, method], method.head, own, "") is None


def test_what_is_missing_or_changed():
    own = [_Item("function Gauss(n: nat): nat", "{\n  n\n}")]
    method = _Item("method Sum(n: nat) returns (s: nat) ensures s == 1 decreases *", "{\n}")
    assert _fault([*own, method], method.head, own, "") is None  # the task's own word
    for items, reason in (
        ([method], "other"),
        ([_Item(own[0].head, "{\n  0\n}"), method], "other"),
        (own, "other"),
        ([*own, _Item("method Sum(n: nat) returns (s: nat)", "{\n}")], "other"),
        ([*own, _Item(method.head, "{\n  assume s == 1;\n}")], "assumes"),
        ([*own, _Item(method.head, None)], "assumes"),
    ):
        fault = _fault(items, method.head, own, "")
        assert fault is not None
        assert fault.reason == reason
    fault = _fault([*own, method], method.head, own, "t.dfy(3,2): Warning: note, this loop has no body")
    assert fault is not None
    assert fault.reason == "assumes"


def test_items_of_a_printed_text():
    printed = """// Dafny

datatype T = A | B

method M(n: nat)
  ensures {1} == {1}
{
  if n == 3 {
  }

}

lemma L()
  ensures true

lemma K()
{
}
"""
    assert _items(printed) == [
        _Item("datatype T = A | B", None),
        _Item("method M(n: nat) ensures {1} == {1}", "{\n  if n == 3 {\n  }\n\n}"),
        _Item("lemma L() ensures true", None),
        _Item("lemma K()", "{\n}"),
    ]
    assert [item.whole for item in _items(printed)] == [True, True, False, True]


@needs_dafny
@needs_jail
def test_what_is_never_read(dafny):
    for text in ('include "x.dfy"', f'method A() {{ var s := @"\nmethod Sum(n: nat)\n{{\n}}"; }}\n{LOOP}'):
        assert dafny.check([(SUM, text)])[0].reason == "refused"
