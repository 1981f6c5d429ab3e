"""Orders of three pieces and what was delivered, in which things are wrong, to be criticised: a task for character
models. Not a benchmark of criticism."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rlft.metrics.critiques import Found, found
from rlft.noise import hashed
from rlft.rewards.adapt import each
from rlft.types import Problem, Reward, Text, UserError

PLACES, KINDS = "123", "CSF"
LOOKS = ("rgb", "sml", "tqo")
"""The colours, sizes and forms that there are; each kind of error is in one of them."""
Unit = tuple[str, str]
"""The number of a piece and what is wrong with it: C its colour, S its size, F its form."""
_SPLITS = ("train", "test")
_FLAWED = 3  # one piece in so many
_TOLD = re.compile(r"([1-3])[rgb][rgb]([C.])[sml][sml]([S.])[tqo][tqo]([F.])")


class Flawed:
    """Questions such as `1rgsstt2ggmmqq3bbssoq=`: of each of three pieces colour, size and form, first as it was
    ordered and then as it was delivered.

    One piece in three is wrong, in one of three ways. `columns["units"]` are the errors, pairs of a number and a kind;
    above the first piece has another colour and the last another form. A critique tells all again, and behind each look
    a letter for an error or a dot: the `answer` is `1rgCss.tt.2gg.mm.qq.3bb.ss.oqF`. The reward, `unit_f1`, reads the
    letters alone and counts units as a set. Splits are two halves of all orders, by a hash; without a `size` there is
    no end of them.
    """

    def __init__(self, size: int | None = None, split: str = "train"):
        if split not in _SPLITS:
            raise UserError(f"flawed orders have the splits {', '.join(_SPLITS)}; not {split!r}")
        self.name, self.split, self.size = "flawed", split, size
        self.reward: Reward = unit_f1()

    def at(self, index: int) -> Problem:
        """The problem with this index, below `size`."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems in {self.split!r}, none with index {index}")
        attempt = 0
        while hashed(ordered := self._drawn(index, attempt)) % 2 != _SPLITS.index(self.split):
            attempt += 1
        asked, units = delivered(ordered, hashed("flaws", self.split, index))
        columns = {"units": tuple(sorted(units))}
        return Problem(index, asked, written(asked, units), columns, self.name, self.split)

    def _drawn(self, index: int, attempt: int) -> str:
        lots = [hashed(self.name, self.split, index, attempt, place) for place in PLACES]
        return "".join(looks[lot // 3**at % 3] for lot in lots for at, looks in enumerate(LOOKS))


def delivered(ordered: str, draw: int) -> tuple[str, frozenset[Unit]]:
    """The question about an order of three times three looks, with the errors that this draw makes."""
    asked, units = "", set[Unit]()
    for number, place in enumerate(PLACES):
        due, lot = ordered[3 * number : 3 * number + 3], hashed(draw, place)
        came = list(due)
        if lot % _FLAWED == 0:
            kind = lot // _FLAWED % 3
            other = LOOKS[kind].replace(due[kind], "")
            came[kind] = other[lot // 9 % 2]
            units.add((place, KINDS[kind]))
        asked += place + "".join(a + b for a, b in zip(due, came, strict=True))
    return f"{asked}=", frozenset(units)


def written(asked: str, units: Iterable[Unit]) -> str:
    """A critique of what was asked as text: each look of each piece again, and a letter for an error, or a dot."""
    all_, told = set(units), ""
    for at, place in enumerate(PLACES):
        told += place
        for number, kind in enumerate(KINDS):
            begin = 7 * at + 1 + 2 * number
            told += asked[begin : begin + 2] + (kind if (place, kind) in all_ else ".")
    return told


def read(text: str) -> frozenset[Unit] | None:
    """The units of a critique; None for what is none: each piece once, in their order, with three looks."""
    told = list(_TOLD.finditer(text))
    if "".join(one[0] for one in told) != text or "".join(one[1] for one in told) != PLACES:
        return None
    return frozenset((one[1], kind) for one in told for kind in one.groups()[1:] if kind != ".")


def errors(problem: Problem) -> frozenset[Unit]:
    """What is wrong in what a problem shows."""
    return frozenset(problem.columns["units"])


def compared(problem: Problem, output: str) -> Found:
    """What a critique finds; what is none names nothing."""
    return found(read(str(output)) or frozenset(), errors(problem))


def unit_f1() -> Reward:
    """F1 of the units that a critique names and the errors that there are; 1 for nothing where nothing is wrong. What
    is no critique, or did not end, earns 0."""

    def earned(problem: Problem, output: str) -> float:
        ended = not (isinstance(output, Text) and output.truncated)
        return compared(problem, str(output)).f1 if ended and read(str(output)) is not None else 0.0

    return each(earned)
