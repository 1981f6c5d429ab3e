"""A part of Dafny's language, read: methods over integers with assignments, branches and loops. Proves nothing itself.

    method M(k: int, n: int) returns (r: int)
      requires k <= n
      ensures r == 3 * n - 3 * k + 2
    { r := 2; var i := k; while i < n invariant k <= i <= n invariant … { r := r + 3; i := i + 1; } }

Expressions are linear, conditions chains of comparisons; a loop's is a single one and no equation. A variable has one
name, and is declared outside of loops and branches. What else Dafny takes is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from rlft.verifiers.linear import Linear, variable

_WORD = re.compile(r"\s*(:=|==|!=|<=|>=|[A-Za-z][A-Za-z0-9]*|\d+|[-+*<>(){}:;,])")
_NAMES = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_KEPT = (
    "method requires ensures returns invariant while var if else int nat assume assert decreases return break true "
    "false forall exists old new this in is as then match case ghost lemma function predicate class module import "
    "include print expect modifies reads yields yield static type const datatype bool real char string set map seq "
    "object array multiset null where label allocated fresh unchanged calc reveal by iterator trait extends newtype "
    "refines constructor export provides reveals opened default abstract twostate inductive least greatest "
    "copredicate iset imap colemma comethod codatatype protected free ORDINAL witness "
)
_RESERVED = frozenset(_KEPT.split())
_ORDERS = ("<", "<=", "==", ">", ">=")


class Unread(Exception):
    """A text that is not of this language; `word` is `error` where Dafny does not take it either."""

    def __init__(self, said: str, word: str = "refused"):
        super().__init__(said)
        self.word = word


@final
@dataclass(frozen=True)
class Compared:
    """`left sign right`."""

    left: Linear
    sign: str
    right: Linear


@final
@dataclass(frozen=True)
class Condition:
    """Comparisons that hold together, and how they are written."""

    each: tuple[Compared, ...]
    text: str


@final
@dataclass(frozen=True)
class Assigned:
    """`name := value`, also where the name is declared so."""

    name: str
    value: Linear


@final
@dataclass(frozen=True)
class Branched:
    """`if condition { then } else { otherwise }`."""

    condition: Condition
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


@final
@dataclass(frozen=True)
class Looped:
    """`while condition invariant … { body }`."""

    condition: Condition
    invariants: tuple[Condition, ...]
    body: tuple[Statement, ...]


Statement = Assigned | Branched | Looped


@final
@dataclass(frozen=True)
class Head:
    """The head of a method."""

    name: str
    given: tuple[str, ...]
    made: tuple[str, ...]
    requires: tuple[Condition, ...]
    ensures: tuple[Condition, ...]


def head_of(text: str) -> Head:
    """The head of a method, without its body. `Unread` for anything else."""
    reader = _Reader(text)
    head = reader.head()
    reader.end()
    return head


def body_of(head: Head, text: str) -> tuple[Statement, ...]:
    """The body of that method, with its braces. `Unread` for anything else."""
    reader = _Reader(text, dict.fromkeys(head.given, False) | dict.fromkeys(head.made, True))
    body = reader.block(0)
    reader.end()
    return body


def changed(body: Sequence[Statement]) -> set[str]:
    """The variables that are assigned to."""
    names: set[str] = set()
    for one in body:
        if isinstance(one, Assigned):
            names.add(one.name)
        elif isinstance(one, Looped):
            names |= changed(one.body)
        else:
            names |= changed(one.then) | changed(one.otherwise)
    return names


@dataclass
class _Reader:
    """The words of a text, read from left to right; `names` are the variables, and whether they may be assigned to."""

    text: str
    names: dict[str, bool] = field(default_factory=dict[str, bool])

    def __post_init__(self) -> None:
        self.words: list[str] = []
        place = 0
        text = self.text.rstrip()
        while place < len(text):
            found = _WORD.match(text, place)
            if not found:
                raise Unread(f"{text[place : place + 20]!r} is no word of this language")
            self.words.append(found[1])
            place = found.end()
        self.place = 0

    @property
    def next(self) -> str:
        return self.words[self.place] if self.place < len(self.words) else ""

    def take(self, *words: str) -> None:
        for word in words:
            if self.next != word:
                raise Unread(f"expected {word!r}, got {self.next!r}", "error")
            self.place += 1

    def end(self) -> None:
        if self.next:
            raise Unread(f"{self.next!r} stands behind the end")

    def word(self) -> str:
        self.place += 1
        return self.words[self.place - 1] if self.place <= len(self.words) else ""

    def name(self, new: bool = False) -> str:
        word = self.word()
        if not _NAMES.fullmatch(word) or word in _RESERVED:
            raise Unread(f"{word!r} is no name", "error")
        if new and word in self.names:
            raise Unread(f"there is a variable {word} already", "error")
        if not new and word not in self.names:
            raise Unread(f"there is no variable {word}", "error")
        return word

    def head(self) -> Head:
        self.take("method")
        called = self.word()
        given = self.declared(False)
        self.take("returns")
        made = self.declared(True)
        conditions: dict[str, list[Condition]] = {"requires": [], "ensures": []}
        while self.next in conditions:
            kind = self.word()
            conditions[kind].append(self.condition())
            outs = {name for one in conditions["requires"] for name in _named(one)} & set(made)
            if outs:
                raise Unread(f"{min(outs)} is not known before the call", "error")
        return Head(called, given, made, tuple(conditions["requires"]), tuple(conditions["ensures"]))

    def declared(self, assigned: bool) -> tuple[str, ...]:
        names: list[str] = []
        self.take("(")
        while not names or self.next == ",":
            if names:
                self.take(",")
            names.append(self.name(new=True))
            self.names[names[-1]] = assigned
            self.take(":", "int")
        self.take(")")
        return tuple(names)

    def block(self, depth: int) -> tuple[Statement, ...]:
        found: list[Statement] = []
        self.take("{")
        while self.next != "}":
            found.append(self.statement(depth))
        self.take("}")
        return tuple(found)

    def statement(self, depth: int) -> Statement:
        if self.next == "while":
            return self.loop(depth)
        if self.next == "if":
            self.take("if")
            condition, then = self.condition(), self.block(depth + 1)
            if self.next != "else":
                return Branched(condition, then, ())
            self.take("else")
            return Branched(condition, then, self.block(depth + 1))
        if self.next == "var":
            if depth:
                raise Unread("a variable is declared inside")
            self.take("var")
            name = self.name(new=True)
            self.take(":=")
            value = self.sum()
            self.names[name] = True
        else:
            name = self.name()
            if not self.names[name]:
                raise Unread(f"{name} is given and cannot be assigned to", "error")
            self.take(":=")
            value = self.sum()
        self.take(";")
        return Assigned(name, value)

    def loop(self, depth: int) -> Looped:
        self.take("while")
        condition, invariants = self.condition(), list[Condition]()
        if [one.sign for one in condition.each] == ["=="] or len(condition.each) > 1:
            raise Unread(f"a loop goes on while {condition.text}")
        while self.next == "invariant":
            self.take("invariant")
            invariants.append(self.condition())
        return Looped(condition, tuple(invariants), self.block(depth + 1))

    def condition(self) -> Condition:
        begin, sides, signs = self.place, [self.sum()], list[str]()
        while self.next in (*_ORDERS, "!="):
            signs.append(self.word())
            sides.append(self.sum())
        text = " ".join(self.words[begin : self.place])
        if not signs:
            raise Unread(f"{text} is no comparison", "error")
        if len(signs) > 1 and ("!=" in signs or len({sign[0] for sign in signs} - {"="}) > 1):
            raise Unread(f"{text} is no chain")
        return Condition(tuple(map(Compared, sides, signs, sides[1:])), text)

    def sum(self) -> Linear:
        negative = self.next == "-"
        if negative:
            self.take("-")
        found = self.product().times(-1 if negative else 1)
        while self.next in ("+", "-"):
            sign = 1 if self.word() == "+" else -1
            found = found.plus(self.product(), sign)
        return found

    def product(self) -> Linear:
        word = self.next
        if not word.isdigit():
            return variable(self.name())
        self.place += 1
        if self.next != "*":
            return Linear({}, int(word))
        self.take("*")
        return variable(self.name()).times(int(word))


def _named(condition: Condition) -> set[str]:
    return {name for one in condition.each for side in (one.left, one.right) for name in side.terms}


def holds(condition: Condition, values: Mapping[str, int]) -> bool:
    """Whether it does for these values."""

    def value(row: Linear) -> int:
        return row.constant + sum(factor * values[name] for name, factor in row.terms.items())

    pairs = [(value(one.left), one.sign, value(one.right)) for one in condition.each]
    return all(
        {"<": a < b, "<=": a <= b, "==": a == b, "!=": a != b, ">": a > b, ">=": a >= b}[sign] for a, sign, b in pairs
    )
