"""Samples beside their rewards, early and late, as the page shows them. Nothing here is escaped: the template escapes.

A row of a kind that is not known, or that cannot be drawn, is shown as it stands in the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from rlft.report import pictures, seen
from rlft.report.files import Record, Run, arguments, as_number
from rlft.report.words import number

PROBLEMS = 4  # problems of one step that are shown
TEXTS = 6  # rows of a problem: the better and the worse half of so many
IMAGES = 12
SHORT, LONG = 480, 6000  # characters shown at once, and shown at all
BETWEEN = 3  # steps between the first and the last that are shown, folded away


@dataclass(frozen=True)
class Turn:
    """One message of a conversation; what is not the policy's `own` is off the mask."""

    role: str
    text: str
    own: bool
    failed: bool
    dropped: int  # characters beyond those shown


@dataclass(frozen=True)
class SampleRow:
    """One rollout as text, as the turns of a conversation, or as an image (`picture` is a data URI)."""

    reward: str
    colour: str
    details: tuple[tuple[str, str], ...]  # reward parts, advantage, tokens
    text: str = ""
    rest: str = ""  # what a long text has beyond its beginning
    dropped: int = 0  # characters beyond even that
    truncated: bool = False
    picture: str = ""
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Card:
    """One problem at one step with its rows, best first; `hidden` rows stood between the shown ones."""

    step: int
    prompt: tuple[tuple[str, str], ...]  # (role, text)
    answer: str
    rows: tuple[SampleRow, ...]
    hidden: int
    images: bool
    seen: tuple[str, ...] = ()  # SVG of what the problem showed


@dataclass(frozen=True)
class Drawing:
    """One picture of many rows, such as all trajectories of a step."""

    title: str
    svg: str
    count: int


@dataclass(frozen=True)
class Gallery:
    """What the samples section shows.

    `pairs` and `drawings` are (early, late), either may be missing; `low` and `high` are the rewards at the ends of the
    colour scale.
    """

    first: int
    last: int
    low: str
    high: str
    pairs: tuple[tuple[Card | None, Card | None], ...] = ()
    between: tuple[Card, ...] = ()
    drawings: tuple[tuple[Drawing | None, Drawing | None], ...] = ()
    steps: tuple[int, ...] = field(default=())


def gallery(run: Run) -> Gallery | None:
    """The samples of the first and the last recorded step side by side, and a few steps between; None without any."""
    records = [_as_asked(record, arguments(run)) for record in run.samples if _rows(record)]
    if not records:
        return None
    steps = sorted({record["step"] for record in records})
    ends = [r for r in records if r["step"] in (steps[0], steps[-1])]
    span = _span([row for record in ends for row in _rows(record)])
    early, late = ([r for r in records if r["step"] == step] for step in (steps[0], steps[-1]))
    if len(steps) == 1:
        early = []
    inner = steps[1:-1]
    picked = [inner[round((i + 1) * (len(inner) - 1) / (BETWEEN + 1))] for i in range(BETWEEN)] if inner else []
    between = [r for step in dict.fromkeys(picked) for r in _first_problems(records, step)]
    return Gallery(
        first=steps[0],
        last=steps[-1],
        low=number(span[0]),
        high=number(span[1]),
        pairs=tuple(_pairs(early, late, span)),
        between=tuple(card for r in between if (card := _card(r, span)) is not None),
        drawings=tuple(_drawings(early, late, span)),
        steps=tuple(steps),
    )


def _first_problems(records: Sequence[Record], step: int) -> list[Record]:
    return [record for record in records if record["step"] == step][: max(1, PROBLEMS // 2)]


def _as_asked(record: Record, told: Record) -> Record:
    """A record whose prompt is what a language model was asked: with its system prompt, as a message, and its tools."""
    problem, (system, chat, tools) = _problem(record), (told.get(key) for key in ("system", "chat", "tools"))
    messages = problem.get("input")
    if isinstance(messages, str) and (chat or tools):
        messages = [{"role": "user" if chat else "", "content": messages}]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return record
    if system and messages and messages[0].get("role") not in ("system", ""):
        messages = [{"role": "system", "content": system}, *messages]
    if tools:
        names = ", ".join(_words(one).rpartition("/")[2] for one in (tools if isinstance(tools, list) else [tools]))
        messages = [{"role": "tools", "content": names}, *messages]
    return {**record, "problem": {**problem, "input": messages}}


def _rows(record: Record) -> list[Record]:
    found = record.get("rows")
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _span(rows: Sequence[Record]) -> tuple[float, float]:
    rewards = [_reward(row) for row in rows]
    known = [reward for reward in rewards if reward is not None]
    return (min(known), max(known)) if known else (0.0, 1.0)


def _reward(row: Record) -> float | None:
    reward = as_number(row.get("reward"))
    return reward if reward is not None and math.isfinite(reward) else None


# Early and late cards ------------------------------------------------------------------------------------------------


def _pairs(early: list[Record], late: list[Record], span: tuple[float, float]) -> list[tuple[Card | None, Card | None]]:
    """Cards of the same problem stand beside each other and come first; the rest are paired as they come."""
    by_index = {_index(record): record for record in late}
    same = [(r, by_index[_index(r)]) for r in early if _index(r) in by_index]
    shared = {_index(record) for record, _ in same}
    rest = zip_longest(*([r for r in side if _index(r) not in shared] for side in (early, late)))
    chosen = [*same, *rest][:PROBLEMS]
    cards = [tuple(_card(record, span) if record else None for record in pair) for pair in chosen]
    return [(first, second) for first, second in cards if first or second]


def _index(record: Record) -> str:
    return json.dumps(_problem(record), sort_keys=True, default=str)


def _problem(record: Record) -> Record:
    found = record.get("problem")
    return found if isinstance(found, dict) else {}


def _card(record: Record, span: tuple[float, float]) -> Card | None:
    """None if every row of the record is drawn instead."""
    rows = [row for row in _rows(record) if not _is_drawn(row)]
    if not rows:
        return None
    rows.sort(key=lambda row: -math.inf if (reward := _reward(row)) is None else reward, reverse=True)
    images = all(row.get("kind") == "image" for row in rows)
    most = IMAGES if images else TEXTS
    shown = rows if len(rows) <= most else rows[: most - most // 2] + rows[-(most // 2) :]
    problem = _problem(record)
    answer = problem.get("answer")
    return Card(
        step=record["step"],
        prompt=_prompt(problem.get("input")),
        answer="" if answer is None else _words(answer)[:SHORT],
        rows=tuple(_row(row, span) for row in shown),
        hidden=len(rows) - len(shown),
        images=images,
        seen=seen.drawn(problem, [(_said(row), pictures.colour(_reward(row), *span)) for row in shown]),
    )


def _said(row: Record) -> str:
    text = row.get("text")
    return text if isinstance(text, str) else ""


def _row(row: Record, span: tuple[float, float]) -> SampleRow:
    reward = _reward(row)
    shown = number(as_number(row.get("reward")))
    hue = pictures.colour(reward, *span)
    picture, text, turns = "", "", _turns(row)
    if row.get("kind") == "image":
        try:
            picture = pictures.png(pictures.pixels(row))
        except ValueError as error:
            text = f"(no picture: {error})"
    elif isinstance(row.get("text"), str):
        text = row["text"]
    elif not turns:
        text = _words({k: v for k, v in row.items() if k not in ("reward", "parts", "advantage")})
    return SampleRow(
        reward=shown,
        colour=hue,
        details=_details(row),
        text=text[:SHORT] if len(text) > 1.5 * SHORT else text,
        rest=text[SHORT:LONG] if len(text) > 1.5 * SHORT else "",
        dropped=max(0, len(text) - LONG),
        truncated=row.get("truncated") is True,
        picture=picture,
        turns=turns,
    )


def _turns(row: Record) -> tuple[Turn, ...]:
    """The messages of a conversation; none of any other row."""
    messages = row.get("messages")
    if row.get("kind") != "conversation" or not isinstance(messages, list):
        return ()
    return tuple(_turn(message) for message in messages if isinstance(message, dict))


def _turn(message: Record) -> Turn:
    text = _words(message.get("text", ""))
    return Turn(
        role=_words(message.get("role", ""))[:40],
        text=text[: 2 * SHORT],
        own=message.get("own") is True,
        failed=message.get("failed") is True,
        dropped=max(0, len(text) - 2 * SHORT),
    )


def _details(row: Record) -> tuple[tuple[str, str], ...]:
    parts = row.get("parts")
    found = dict(parts) if isinstance(parts, dict) else {}
    found |= {key: row[key] for key in ("advantage", "tokens") if key in row}
    return tuple(
        (str(key), number(v) if (v := as_number(value)) is not None else _words(value)) for key, value in found.items()
    )


def _prompt(given: Any) -> tuple[tuple[str, str], ...]:
    """Chat messages as (role, text); text as one message without a role; a class or a start state as `input`."""
    if isinstance(given, list) and given and all(isinstance(m, dict) and "content" in m for m in given):
        return tuple((str(m.get("role", "")), _content(m["content"])[:LONG]) for m in given)
    if given is None:
        return ()
    return (("" if isinstance(given, str) else "input", _words(given)[:LONG]),)


def _content(content: Any) -> str:
    """The text of a message; parts that are not text are named in brackets."""
    if not isinstance(content, list):
        return _words(content)
    parts = [part if isinstance(part, dict) else {"text": _words(part)} for part in content]
    return "\n".join(_words(part["text"]) if "text" in part else f"[{part.get('type', 'part')}]" for part in parts)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


# Drawings of all rows of a step -------------------------------------------------------------------------------------


def _is_drawn(row: Record) -> bool:
    """Whether some drawing shows the row, so that no card need."""
    return any(_fits(make, row) for make in (_points, _positions)) or bool(_series_names([row]))


def _fits(read: Callable[[Record], object], row: Record) -> bool:
    try:
        read(row)
    except ValueError:
        return False
    return True


def _points(row: Record) -> object:
    return pictures.path(row, "points")


def _positions(row: Record) -> object:
    return pictures.path(row, "positions")


def _series_names(rows: Sequence[Record]) -> list[str]:
    """Names of series that can be drawn, in order of appearance."""
    tables = [row["series"] for row in rows if isinstance(row.get("series"), dict)]
    names = dict.fromkeys(name for table in tables for name in table)
    return [n for n in names if any(_fits(lambda row, n=n: pictures.one_series(row, n), row) for row in rows)]


def _drawings(
    early: list[Record], late: list[Record], span: tuple[float, float]
) -> list[tuple[Drawing | None, Drawing | None]]:
    """Points and paths, a pair for each scene (same walls), then a pair for each named series; equal axes in a pair."""
    sides = [[row for record in side for row in _rows(record)] for side in (early, late)]
    found = []
    for key, draw, title in (("points", pictures.cloud, "Points"), ("positions", pictures.paths, "Trajectories")):
        kept = [[row for row in side if _fits(_points if key == "points" else _positions, row)] for side in sides]
        for i, scene in enumerate(list(dict.fromkeys(_scene(row) for side in kept for row in side))[:PROBLEMS]):
            pair = [[row for row in side if _scene(row) == scene] for side in kept]
            box = pictures.limits(pair[0] + pair[1], key)
            svgs = [draw(rows, span, box, f"{key}-{i}-{j}") if rows else "" for j, rows in enumerate(pair)]
            found.append(_pair(title, svgs, pair))
    for i, name in enumerate(_series_names(sides[0] + sides[1])[:PROBLEMS]):
        pair = [[row for row in side if name in _series_names([row])] for side in sides]
        values = [v for rows in pair for row in rows for v in pictures.one_series(row, name) if math.isfinite(v)]
        room = 0.06 * ((max(values) - min(values)) or 1.0)
        box = (min(values) - room, max(values) + room)
        svgs = [pictures.lines(rows, name, span, box, f"series-{i}-{j}") if rows else "" for j, rows in enumerate(pair)]
        found.append(_pair(name, svgs, pair))
    return found


def _scene(row: Record) -> str:
    return json.dumps(row.get("walls"), default=str)


def _pair(title: str, svgs: list[str], rows: list[list[Record]]) -> tuple[Drawing | None, Drawing | None]:
    first, second = (Drawing(title, s, len(r)) if s else None for s, r in zip(svgs, rows, strict=True))
    return first, second
