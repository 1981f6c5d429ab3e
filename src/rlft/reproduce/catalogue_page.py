"""The page of the whole catalogue: every system and the state of its evidence, and what the systems cover. Links to the
systems' own pages, which `page` writes; nothing here is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rlft.reproduce import standing
from rlft.reproduce.catalogue import (
    KINDS,
    OPEN,
    VOCABULARY,
    State,
    System,
    count_line,
    coverage,
    not_known,
    others,
    state,
    systems,
    words_of,
)

_START = (
    "`rlft` fine-tunes any generative policy with reinforcement learning, on one engine, and carries published systems "
    "as short recipes on it. A recipe states the paper's claim, and what would count as seeing it, before anything is "
    "run; all arms get the same budget and the same tuning; the verdict is published with the number of every seed, "
    "whatever it is. `rlft reproduce KEY` runs it again."
)
_MISSING = (
    "A system works when its new part is in the library with exact tests, a committed result has a verdict on it, and "
    "a command runs it at full size, which a test reads. What is missing is read off recipes, results and tests:"
)
_COVERAGE = (
    "What the systems work on, against what they change. A system with several tags stands in several cells; an empty "
    "cell is one that no system of the catalogue fills. Those with a recipe are set in bold."
)


def markdown() -> str:
    """The page, the same for the same catalogue, recipes and results."""
    states = {one.key: state(one.key) for one in systems()}
    lines = ["# The systems and their evidence", "", _START, "", f"**{count_line(list(states.values()))}.**", ""]
    lines += [f"{_MISSING} {'; '.join(f'`{word}`, {text}' for word, text in standing.MISSING.items())}.", ""]
    lines += [f"**{standing.line()}.**", ""]
    lines += [*_systems(states), "", *_others(), "## What the systems cover", "", _COVERAGE, "", *_coverage(states), ""]
    lines += [
        "## The tags",
        "",
        "`rlft papers --tag WORD` lists the systems that carry one.",
        "",
        *_tags(),
        "",
        *_not_known(),
    ]
    return "\n".join(lines)


def _systems(states: Mapping[str, State]) -> list[str]:
    head = "| # | key | system | what it adds | evidence | missing | tags |"
    rows = [kinds(missing=list(standing.MISSING)), "", head, "|---|---|---|---|---|---|---|"]
    for one in systems():
        cells = [one.number, _key(one.key, states), _named(one), one.adds, _evidence(states[one.key])]
        cells += [" ".join(f"`{word}`" for word in standing.missing(one.key)), _tagged(one)]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def kinds(**more: Sequence[str]) -> str:
    """What the filters of a page are: each kind's words, and those of `more`, as the page's script reads them."""
    return as_script({**{kind: words_of(kind) for kind in KINDS}, **more})


def as_script(words: Mapping[str, Sequence[str]]) -> str:
    """Kinds of tags and their words, for the page's script."""
    told = json.dumps({kind: list(its) for kind, its in words.items()}, ensure_ascii=False)
    return f'<script type="application/json" id="tag-kinds">{told}</script>'


def _evidence(its: State) -> str:
    return f"[{its}](taxonomy.md)" if its.stage == "survey" else str(its)


def _tagged(one: System) -> str:
    return " ".join(f"`{word}`" for words in one.tags().values() for word in words)


def _others() -> list[str]:
    """A list of the claims besides; nothing while there are none."""
    states = {key: state(key) for key in others()}
    rows = [f"- {_key(key, states)}: {its}" for key, its in states.items()]
    return ["## Claims about what is not in the list", "", *rows, ""] if rows else []


def _key(key: str, states: Mapping[str, State]) -> str:
    return f"[{key}](evidence/{key}.md)" if states[key].stage == "evidence" else f"`{key}`"


def _named(one: System) -> str:
    return f"{one.name}, {one.year}, [arXiv:{one.arxiv}](https://arxiv.org/abs/{one.arxiv})"


def _coverage(states: Mapping[str, State]) -> list[str]:
    table, columns = coverage("modality", "changes"), list(VOCABULARY["changes"])
    rows = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for word, cells in table.items():
        shown = [", ".join(_bold(key, states) for key in cells[column]) for column in columns]
        rows.append(f"| `{word}` | {' | '.join(shown)} |")
    return rows


def _bold(key: str, states: Mapping[str, State]) -> str:
    return key if states[key].stage == "none" else f"**{key}**"


def _tags() -> list[str]:
    rows = ["| kind | tags, and how many systems carry them |", "|---|---|"]
    for kind, words in VOCABULARY.items():
        counts = {word: sum(word in one.tags()[kind] for one in systems()) for word in words}
        rows.append(f"| {kind} | {'; '.join(f'`{word}` {words[word]} ({counts[word]})' for word in words)} |")
    for kind, meaning in OPEN.items():
        counted = (f"`{word}` ({sum(word in one.tags()[kind] for one in systems())})" for word in words_of(kind))
        rows.append(f"| {kind} | {meaning}: {'; '.join(counted)} |")
    return rows


def _not_known() -> list[str]:
    """A line for each kind of tag that some systems lack; nothing once all is known."""
    lacking = {kind: keys for kind, keys in not_known().items() if keys}
    return [
        f"Not known, because no look-up found it, is the {kind} of {', '.join(keys)}.\n"
        for kind, keys in lacking.items()
    ]
