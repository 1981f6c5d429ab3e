"""The page of the whole catalogue: every system and the state of its evidence, and what the systems cover. Links to the
systems' own pages, which `page` writes; nothing here is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rlft.reproduce.catalogue import VOCABULARY, State, System, count_line, coverage, others, state, systems

_START = (
    "`rlft` fine-tunes any generative policy with reinforcement learning, on one engine, and carries published systems "
    "as short recipes on it. A recipe states the paper's claim, and what would count as seeing it, before anything is "
    "run; all arms get the same budget and the same tuning; the verdict is published with the number of every seed, "
    "whatever it is. `rlft reproduce KEY` runs it again."
)
_COVERAGE = (
    "What the systems work on, against what they change. A system with several tags stands in several cells; an empty "
    "cell is one that no system of the catalogue fills. Those with a recipe are set in bold."
)


def markdown() -> str:
    """The page, the same for the same catalogue, recipes and results."""
    states = {one.key: state(one.key) for one in systems()}
    lines = ["# The systems and their evidence", "", _START, "", f"**{count_line(list(states.values()))}.**", ""]
    lines += [*_systems(states), "", *_others(), "## What the systems cover", "", _COVERAGE, "", *_coverage(states), ""]
    lines += ["## The tags", "", "`rlft papers --tag WORD` lists the systems that carry one.", "", *_tags(), ""]
    return "\n".join(lines)


def _systems(states: Mapping[str, State]) -> list[str]:
    rows = [kinds(), "", "| # | key | system | what it adds | evidence | tags |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {one.number} | {_key(one.key, states)} | {_named(one)} | {one.adds} | {states[one.key]} | {_tagged(one)} |"
        for one in systems()
    ]
    return rows


def kinds() -> str:
    """What the filters of a page are: each kind's words, as the page's script reads them."""
    words = {kind: list(words) for kind, words in VOCABULARY.items()}
    return f'<script type="application/json" id="tag-kinds">{json.dumps(words)}</script>'


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
    return rows
