"""Rewards for a model that says why, what it means to do, and how it steers: Alpamayo-R1's (arXiv:2511.00088).

A completion is read as `<cause>red light</cause><intent>stop, straight</intent><a-2><k0><a-2><k0>…`: a reason in tagged
fields and pairs of control tokens, whose numbers count steps of acceleration and of curvature. Problems say in their
columns how fast the car is (`speed`, m/s), where the expert was after each step (`expert`, [x, y] in m from where the
car is, x ahead, y to the left), and where something is that it must not come close to (`obstacles`, a list of [x, y]).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rlft.environments.unicycle import driven
from rlft.errors import UserError
from rlft.metrics.driving import ade, clearance, comfort, meta_actions
from rlft.rewards.adapt import column, each
from rlft.types import Parts, Problem, Reward, field_of

_PAIR = re.compile(r"<a([+-]?\d+)>\s*<k([+-]?\d+)>")
_CONTROL = re.compile(r"<[ak][+-]?\d+>")
FAR = 10.0  # m, no way counts as farther off than that
Recipe = Literal["comfort", "reasoning", "collision"]


@dataclass(frozen=True)
class Controls:
    """How control tokens are read: each is held for `seconds`, `<a1>` is `accel` m/s² and `<k1>` `curvature` 1/m."""

    seconds: float
    accel: float
    curvature: float

    def __post_init__(self) -> None:
        if not min(self.seconds, self.accel, self.curvature) > 0:
            raise UserError(f"seconds, accel and curvature say how large a step of each is, above 0; not {self}")

    def read(self, text: str, steps: int) -> list[list[float]] | None:
        """The controls [T 2] of a completion, in m/s² and 1/m; None unless it has just so many pairs."""
        pairs = _PAIR.findall(text)
        if len(pairs) != steps or len(_CONTROL.findall(text)) != 2 * steps:
            return None
        return [[float(a) * self.accel, float(k) * self.curvature] for a, k in pairs]

    def seen(self, problems: Sequence[Problem], texts: Sequence[str], radius: float) -> Driving:
        """How each completion drives."""
        found = Driving.unread(len(problems))
        lengths: dict[int, list[tuple[int, list[list[float]]]]] = {}
        for row, (problem, text) in enumerate(zip(problems, texts, strict=True)):
            steps = len(given(problem, "expert"))
            if (read := self.read(text, steps)) is not None:
                lengths.setdefault(steps, []).append((row, read))
        for rows in lengths.values():
            places, told = [row for row, _ in rows], torch.tensor([read for _, read in rows])
            found.put(places, self.looked_at([problems[row] for row in places], told, radius))
        return found

    def looked_at(self, problems: Sequence[Problem], controls: Float[Tensor, "N T 2"], radius: float) -> Driving:
        """How it is driven by these controls, in m/s² and 1/m."""
        speed = torch.tensor([float(given(problem, "speed")) for problem in problems])
        way = driven(speed, controls[..., 0], controls[..., 1], self.seconds)
        expert = torch.tensor([given(problem, "expert") for problem in problems], dtype=torch.float32)
        there = [field_of(problem.columns, "obstacles") or [] for problem in problems]
        most = max(map(len, there))
        points = torch.tensor([[*one, *[[math.nan, math.nan]] * (most - len(one))] for one in there])
        close = clearance(way.position, points.reshape(len(problems), most, 2)) < radius
        smooth = comfort(way.speed, way.heading, self.seconds).score
        done: list[tuple[str, str] | None] = [*meta_actions(way.speed, way.heading)]
        return Driving(ade(way.position[:, 1:], expert).clamp(max=FAR), close.float(), smooth, done)


@dataclass(frozen=True)
class Driving:
    """How rows are driven.

    off     ADE to the expert in m, at most `FAR`, and that where the controls cannot be read
    close   1 where the way is closer than a radius to an obstacle, or cannot be read
    smooth  comfort, 0 where it cannot be read
    done    the meta-actions; None where it cannot be read
    """

    off: Float[Tensor, "N"]
    close: Float[Tensor, "N"]
    smooth: Float[Tensor, "N"]
    done: list[tuple[str, str] | None]

    @classmethod
    def unread(cls, rows: int) -> Driving:
        """Rows whose controls cannot be read."""
        return cls(torch.full((rows,), FAR), torch.ones(rows), torch.zeros(rows), [None] * rows)

    def put(self, places: Sequence[int], other: Driving) -> None:
        """Take the rows of another in at these places."""
        for place, done in zip(places, other.done, strict=True):
            self.done[place] = done
        for name in ("off", "close", "smooth"):
            getattr(self, name)[list(places)] = getattr(other, name)

    def agrees(self, texts: Sequence[str]) -> list[float]:
        """1 for rows that do what the intent of their text says."""
        told = (None if done is None else sorted(done) for done in self.done)
        return [float(did is not None and field(text, "intent") == did) for did, text in zip(told, texts, strict=True)]


def reasoning(*, fields: str = "cause,intent") -> Reward:
    """The share of what the problem's columns of these names say that the reason's fields say too, word for word.

    Words are parted by commas, and their order does not count: a cause and an intent of two words are three points. It
    stands in the place of a large model that grades the reason, which is `judge(…)`. A field has no point where it is
    told twice or with more or fewer words; NaN where a problem lacks a column.
    """
    names = [name.strip() for name in fields.split(",") if name.strip()]
    if not names:
        raise UserError(f"fields={fields!r} names no field: 'cause,intent', say")

    def graded(problem: Problem, output: Any) -> float:
        columns = [field_of(problem.columns, name) for name in names]
        if any(value is None for value in columns):
            return math.nan
        wanted = [_words(str(value)) for value in columns]
        said = [field(str(output), name) for name in names]
        points = sum(_shared(one, other) for one, other in zip(said, wanted, strict=True) if one is not None)
        return points / sum(map(len, wanted))

    return each(graded)


def agreement(*, seconds: float, accel: float, curvature: float) -> Reward:
    """1 where the car does what the reason says it will, else 0.

    What it does are the meta-actions of its way, `metrics.driving.meta_actions`; what it says are the two words of
    `<intent>`, in any order. 0 where the intent or the controls cannot be read. Whether either is right is not asked.
    """
    controls = Controls(seconds, accel, curvature)

    def agreed(problems: Sequence[Problem], outputs: Any) -> Tensor:
        texts = texts_of(problems, outputs)
        return column(controls.seen(problems, texts, 0.0).agrees(texts))

    return agreed


def trajectory(
    *,
    seconds: float,
    accel: float,
    curvature: float,
    distance: float = 1.0,
    collision: float = 0.8,
    smooth: float = 0.1,
    radius: float = 2.0,
) -> Reward:
    """How the car is driven: r = -distance ADE/3 m - collision 1[clearance < radius] + smooth (comfort - 1).

    ADE is to the expert, at most 10 m; clearance to the nearest of the obstacles; comfort the mean of six indicators,
    see `metrics.driving`. A completion whose controls cannot be read is 10 m off, collides and has no comfort. Weights
    are those of the released recipe with collisions. Watched: `distance` is ADE, `close`, `smooth` is comfort.
    """
    controls = Controls(seconds, accel, curvature)

    def paid(problems: Sequence[Problem], outputs: Any) -> Parts:
        seen = controls.seen(problems, texts_of(problems, outputs), radius)
        parts = {"ade": -distance * seen.off / 3, "collision": -collision * seen.close}
        parts["comfort"] = smooth * (seen.smooth - 1)
        return Parts(parts, {"distance": seen.off, "close": seen.close, "smooth": seen.smooth})

    return paid


def alpamayo(
    *, seconds: float, accel: float, curvature: float, recipe: str = "collision", radius: float = 2.0
) -> Reward:
    """The reward of one of the three released recipes, see `released`; the reason is graded by `reasoning`."""
    controls, grading = Controls(seconds, accel, curvature), reasoning()
    if recipe not in get_args(Recipe):
        raise UserError(f"recipe={recipe!r}: the released ones are {', '.join(get_args(Recipe))}")

    def paid(problems: Sequence[Problem], outputs: Any) -> Tensor:
        texts = texts_of(problems, outputs)
        seen, grade = controls.seen(problems, texts, radius), torch.as_tensor(grading(problems, outputs))
        told = torch.tensor([re.search(r"<(\w+)>[^<]+</\1>", text) is not None for text in texts])
        return released(recipe, seen.off, seen.smooth, grade, told, seen.close)

    return paid


def released(recipe: str, off: Tensor, smooth: Tensor, grade: Tensor, told: Tensor, close: Tensor) -> Tensor:
    """What NVlabs/alpamayo-recipes pays, [N]: of ADE in m, comfort and grade in [0, 1], 1 where a reason is told, and 1
    where it collides. With s = grade - 1 (-1 without a reason):

        comfort     -1 unless ADE < 3 m, else -0.4 ADE/3 + 0.1 (comfort - 1)
        reasoning   -1 unless ADE < 3 m, s > -0.4 and a reason is told, else -0.2 ADE/3 + 0.3 (s / -0.4)
        collision   -2 if ADE >= 5 m, else -ADE/3 + 0.1 (comfort - 1) - 0.8 collides + 0.1 (s / 0.4), the last -0.1
                    without a reason

    In `reasoning` the last term *rises* as the reason gets worse: s/-0.4 is 0 for the best reason and nears 1 at the
    gate. It is a slip of the sign, which the later `collision` has mended by |-0.4|. None asks for consistency.
    """
    s = torch.where(told.bool(), grade - 1, -1.0)
    if recipe == "comfort":
        return torch.where(off < 3, -0.4 * off / 3 + 0.1 * (smooth - 1), -1.0)
    if recipe == "reasoning":
        gate = (off < 3) & (s > -0.4) & told.bool()
        return torch.where(gate, -0.2 * off / 3 + 0.3 * (s / -0.4), -1.0)
    reason = torch.where(told.bool(), 0.1 * s / 0.4, -0.1)
    return torch.where(off >= 5, -2.0, -off / 3 + 0.1 * (smooth - 1) - 0.8 * close + reason)


def field(text: str, name: str) -> list[str] | None:
    """The words of a tagged field, parted by commas, in their order by letter; None unless it is told just once."""
    found = re.findall(rf"<{re.escape(name)}>([^<]*)</{re.escape(name)}>", text)
    return _words(found[0]) if len(found) == 1 else None


def texts_of(problems: Sequence[Problem], outputs: Any) -> list[str]:
    """The completions as plain texts."""
    return [str(outputs[row]) for row in range(len(problems))]


def given(problem: Problem, name: str) -> Any:
    """A column that rewards for driving cannot do without."""
    value = field_of(problem.columns, name)
    if value is None:
        raise UserError(f"problem {problem.index} has no column {name!r}, which rewards for driving read")
    return value


def _shared(said: Sequence[str], wanted: Sequence[str]) -> int:
    """How many of the words that are wanted are said, where as many are."""
    return (Counter(said) & Counter(wanted)).total() if len(said) == len(wanted) else 0


def _words(text: str) -> list[str]:
    return sorted(word.strip().casefold() for word in text.split(","))
