"""`rlft papers`: the systems and the state of their evidence, as a table, one by one, or as JSON. Decides nothing.

It answers at once because nothing here needs PyTorch: recipes are parsed and results read, not run.
"""

from __future__ import annotations

import json as as_json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tyro

from rlft.errors import UserError
from rlft.reproduce import catalogue, page, results, standing
from rlft.reproduce.catalogue import State, System

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"reproduced": "green", "not reproduced": "red", "inconclusive": "yellow"}


def papers(
    key: tyro.conf.Positional[str | None] = None, json: bool = False, tag: str | None = None, methods: bool = False
) -> int:
    """List the published systems: what each adds, what it misses, the state of its evidence. With a key, all about one.

    Args:
        key: a system.
        json: print a JSON list of objects, one a system.
        tag: only systems that carry this tag, such as audio, reward, PPO, GSM8K, verl.
        methods: the methods instead, and what each is made of; --tag leaves those with a part, a need or a system.
    """
    if key is not None and tag is not None:
        raise UserError(f"a key and --tag were given: rlft papers {key}, or rlft papers --tag {tag}")
    if methods:
        if key is not None:
            raise UserError(f"a key and --methods were given: rlft papers {key}, or rlft papers --methods --tag {key}")
        return _methods(json, tag)
    chosen = [catalogue.system(key)] if key else catalogue.tagged(tag) if tag else catalogue.systems()
    states = [catalogue.state(one.key) for one in chosen]
    if json:
        plain = [
            {**vars(one), "state": vars(its), "missing": standing.missing(one.key)}
            for one, its in zip(chosen, states, strict=True)
        ]
        if key is not None:
            plain[0]["result"] = results.load(key)
        print(as_json.dumps(plain, indent=1))
    elif key is not None:
        _show(chosen[0], states[0])
    else:
        _list(chosen, states, tag)
    return 0


def _methods(json: bool, tag: str | None) -> int:
    """The table of methods. They are values of PyTorch, which is imported here alone."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from rlft.reproduce import method_tags

    chosen = method_tags.tagged(tag) if tag else method_tags.everything()
    if json:
        print(as_json.dumps([vars(one) for one in chosen], indent=1))
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    joined = {"learns": ("learns", "critic", "reference"), "credit": ("credit",), "rows": ("rows",)}
    joined |= {"needs": ("needs",), "updates": ("updates",)}
    table.add_column("method", no_wrap=True)
    for head in (*joined, "systems"):
        table.add_column(head, overflow="fold", ratio=1)
    for one in chosen:
        words = [", ".join(word for kind in kinds for word in one.tags[kind]) for kinds in joined.values()]
        table.add_row(one.name, *map(Text, words), Text(", ".join((*one.introduced, *one.used))))
    console = _console()
    console.print(table)
    console.print(f"{len(chosen)} methods", highlight=False)
    return 0


def _list(chosen: Sequence[System], states: Sequence[State], tag: str | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("key", no_wrap=True, min_width=max(len(one.key) for one in chosen))
    table.add_column("system", no_wrap=True, max_width=34)
    table.add_column("what it adds", no_wrap=True, ratio=1)
    lacking = [", ".join(standing.missing(one.key)) for one in chosen]
    table.add_column("missing", no_wrap=True, min_width=max(map(len, ["missing", *lacking])))
    table.add_column("evidence", no_wrap=True, min_width=max(len(str(its)) for its in states))
    for one, its, words in zip(chosen, states, lacking, strict=True):
        table.add_row(one.key, Text(one.name), Text(one.adds), Text(words, "dim"), Text(str(its), _style(its)))
    console = _console()
    console.print(table)
    of = f" (of {len(catalogue.systems())}, those tagged {tag})" if tag else ""
    if not tag and (others := catalogue.others()):
        said = (f"{key} ({catalogue.state(key)})" for key in others)
        console.print(f"claims besides: {', '.join(said)}", highlight=False, markup=False)
    if not tag:
        console.print(standing.line(), highlight=False, markup=False, soft_wrap=True)
    console.print(f"{catalogue.count_line(states)}{of}", highlight=False, markup=False, soft_wrap=True)


def _show(one: System, its: State) -> None:
    console = _console()
    console.print(f"[bold]{one.name}[/]  {one.title}, {one.year}", highlight=False)
    facts = {"key": f"{one.key} (number {one.number})", "arXiv": one.arxiv, "code": one.code, "data": one.data}
    facts |= {"adds": one.adds, "experiment": one.experiment}
    facts |= {kind: ", ".join(words) or "not known" for kind, words in one.tags().items()}
    facts["evidence"] = str(its)
    told = (f"{word}: {standing.MISSING[word]}" for word in standing.missing(one.key))
    facts["missing"] = "\n".join(told) or "nothing: part, result and full size are there"
    if its.stage == "survey":
        facts["where"] = "rlft papers and rlft papers --methods; docs/index.md, docs/taxonomy.md, docs/methods.md"
    if its.stage == "recipe":
        facts["run it"] = f"rlft {'reproduce' if its.declared else 'run'} {one.key}"
    _pairs(console, facts)
    result = results.load(one.key)
    if result is not None:
        _evidence(console, result, its)


def _evidence(console: Console, result: dict[str, Any], its: State) -> None:
    """What was claimed, and what came out."""
    from rich.markdown import Markdown

    claim = result["claim"]
    if its.stale:
        console.print("[yellow]The recipe's claim is not the one that this result was made for.[/]")
    console.print(f"\n{claim['sentence']}\n  — {claim['source']}\n", highlight=False, markup=False)
    console.print(Markdown("\n".join(page.statements(result))))
    if reading := results.reading(result["key"]):
        console.print(Markdown(reading))
    console.print()
    facts = {"arms": "\n".join(f"{name}: {arm['text']}" for name, arm in claim["arms"].items())}
    facts |= {"budget": claim["budget"], "scaled down": claim["scaled_down"], "at full size": claim["real"]}
    facts |= {"made": f"{its.date}, revision {its.revision}", "run it again": f"rlft reproduce {result['key']}"}
    _pairs(console, facts)


def _pairs(console: Console, facts: Mapping[str, str | None]) -> None:
    """Names and values in two columns; what is not known is left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value is not None:
            table.add_row(Text(name, "dim"), Text(value))
    console.print(table)


def _style(its: State) -> str:
    if its.verdict is not None:
        return "yellow" if its.stale else _STYLES[its.verdict]
    return "dim" if its.stage == "none" else "cyan"


def _console() -> Console:
    """The terminal's width; into a pipe or a file, a line wide enough to search in."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)
