"""Programs of `counted` as hardware: a design without state in Verilog, its loops unrolled. Proves nothing itself.

Deterministic, as a tool for high-level synthesis is, and small: all numbers are of `width` bits, the given ones of
`given`, both signed; a loop's body stands `turns` times, each behind the loop's condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from rlft.errors import UserError
from rlft.verifiers.counted import Assigned, Branched, Condition, Head, Statement, Unread, body_of, head_of
from rlft.verifiers.linear import Linear

TOP = "top_module"


def design(header: str, text: str, given: int = 3, width: int = 8) -> str:
    """A program as a module. UserError for a head or a text that is not of the language.

    A loop's body stands as often as two given numbers can differ; one that would go on then stops there.
    """
    head, body = _read(header, text)
    lines = _Lines(2**given)
    values = lines.after(body, {name: f"{name}_" for name in head.given} | dict.fromkeys(head.made, f"{width}'sd0"))
    return _module(head, [f"  wire signed [{width - 1}:0] {one};" for one in lines.each], values, given, width)


def reference(header: str, given: int = 3, width: int = 8) -> str:
    """What the head of a method says of each result, `name == …`, as a module; anything where `requires` fails.

    UserError where it does not say what each result is.
    """
    head, _ = _read(header, "{ }")
    says = {
        name: row
        for condition in head.ensures
        for one in condition.each
        if one.sign == "==" and (name := _alone(one.left)) in head.made and not set(one.right.terms) & set(head.made)
        for row in [one.right]
    }
    if missing := [name for name in head.made if name not in says]:
        raise UserError(f"no `ensures {missing[0]} == …` in {header!r:.200}")
    known = {name: f"{name}_" for name in head.given}
    met = " && ".join(_condition(one, known) for one in head.requires) or "1'b1"
    values = {name: f"({met}) ? ({_sum(row, known)}) : {{{width}{{1'bx}}}}" for name, row in says.items()}
    return _module(head, [], values, given, width)


def _read(header: str, text: str) -> tuple[Head, tuple[Statement, ...]]:
    try:
        head = head_of(header)
        return head, body_of(head, text)
    except Unread as fault:
        raise UserError(f"{fault}, in {header!r:.200} with {text!r:.200}") from None


def _alone(row: Linear) -> str:
    return next(iter(row.terms)) if list(row.terms.values()) == [1] and not row.constant else ""


def _module(head: Head, lines: Sequence[str], values: Mapping[str, str], given: int, width: int) -> str:
    ports = [f"input signed [{given - 1}:0] {name}_in" for name in head.given]
    ports += [f"output signed [{width - 1}:0] {name}_out" for name in head.made]
    wires = [f"  wire signed [{width - 1}:0] {name}_ = {name}_in;" for name in head.given]
    ends = [f"  assign {name}_out = {values[name]};" for name in head.made]
    return "\n".join([f"module {TOP}({', '.join(ports)});", *wires, *lines, *ends, "endmodule", ""])


@final
class _Lines:
    """The wires of a design, one for each value of a variable."""

    def __init__(self, turns: int):
        self.turns, self.each = turns, list[str]()

    def wire(self, value: str) -> str:
        name = f"_{len(self.each)}"  # no name of the language has such a mark
        self.each.append(f"{name} = {value}")
        return name

    def after(self, body: Sequence[Statement], values: Mapping[str, str]) -> dict[str, str]:
        """Which wires the variables are behind a body."""
        now = dict(values)
        for one in body:
            if isinstance(one, Assigned):
                now[one.name] = self.wire(_sum(one.value, now))
            elif isinstance(one, Branched):
                held = _condition(one.condition, now)
                now = self._either(held, self.after(one.then, now), self.after(one.otherwise, now), now)
            else:
                for _ in range(self.turns):
                    now = self._either(_condition(one.condition, now), self.after(one.body, now), now, now)
        return now

    def _either(
        self, held: str, then: Mapping[str, str], otherwise: Mapping[str, str], before: Mapping[str, str]
    ) -> dict[str, str]:
        pairs = {name: (then[name], otherwise[name]) for name in before}
        return {name: a if a == b else self.wire(f"({held}) ? {a} : {b}") for name, (a, b) in pairs.items()}


def _sum(row: Linear, values: Mapping[str, str]) -> str:
    parts = [f"({factor}) * {values[name]}" if factor != 1 else values[name] for name, factor in row.terms.items()]
    return " + ".join([*parts, f"({row.constant})"] if row.constant or not parts else parts)


def _condition(condition: Condition, values: Mapping[str, str]) -> str:
    return " && ".join(f"({_sum(one.left, values)}) {one.sign} ({_sum(one.right, values)})" for one in condition.each)
