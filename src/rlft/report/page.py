"""One self-contained HTML page of a run, and one of several runs side by side. Words and figures come from elsewhere.

The page asks for nothing outside itself and forbids it too (Content-Security-Policy), and runs no script: whatever a
sample contains is text.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rlft.report import canvas, figures
from rlft.report.concerns import concerns
from rlft.report.files import Results, Run, arguments, read
from rlft.report.samples import gallery
from rlft.report.summary import evaluation_table, facts, headline, progress, total_seconds
from rlft.report.words import MISSING, duration, number

_BEFORE_AND_AFTER = (
    "Before and after: held-out measures at the first and the last evaluation, training metrics as means of the first "
    "and last tenth of steps."
)
# Arguments that a reader looks for in the heading, in this order.
_HEADING = ("model", "policy", "data", "task", "reward", "arm")
# How a language model was asked, which it remembers; of other runs none.
_USED_WITH = ("system", "chat", "chat_template_kwargs", "stop", "tools", "agent", "window")


def write(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write `report.html` into a run folder, or `out`, and return its path. ValueError if the folder is no run."""
    run = read(folder)
    page = _template("page.html").render(
        title=f"{title(run)} · rlft report",
        heading=title(run),
        run=run,
        about=about(run),
        headline=headline(run),
        progress=progress(run),
        facts=facts(run),
        evaluations=evaluation_table(run),
        spent=duration(total_seconds(run)),
        concerns=concerns(run),
        reward=figures.reward_panel(run),
        known=figures.known_panels(run) + figures.part_panels(run),
        seconds=figures.seconds_panel(run),
        measures=figures.measure_panels(run),
        others=figures.other_panels(run),
        undrawn=figures.undrawn(run),
        gallery=gallery(run),
        settings=flatten(run.info.get("arguments")),
        versions=flatten({key: run.info.get(key) for key in ("versions", "machine") if run.info.get(key)}),
        command=command(run),
        revision=str(run.info.get("revision") or "").removesuffix("+"),
        changed=str(run.info.get("revision") or "").endswith("+"),
        directory=run.info.get("directory"),
    )
    return _save(Path(folder) / "report.html" if out is None else Path(out), page)


def compare(folders: Sequence[str | Path], out: str | Path | None = None, results: Results | None = None) -> Path:
    """Write one page with the curves of several runs overlaid and a table, and return its path.

    `out` is `compare.html` in the folder that holds all runs, unless given. Raises ValueError for fewer than two
    folders or a folder that is no run. `results` stand in for those of the folders.
    """
    if len(folders) < 2:
        raise ValueError(f"a comparison needs at least two run folders, not {len(folders)}")
    runs = [read(folder) for folder in folders]
    path = (
        Path(out)
        if out is not None
        else Path(os.path.commonpath([run.folder.resolve() for run in runs])) / "compare.html"
    )
    results = results or Results(_names(runs), measured(runs), _BEFORE_AND_AFTER)
    names = results.names
    page = _template("compare.html").render(
        title=f"{len(runs)} runs · rlft report",
        heading=f"{len(runs)} runs, side by side",
        names=names,
        runs=runs,
        panel=figures.compare_panel(list(zip(names, runs, strict=True))),
        rows=results.rows,
        note=results.note,
        settings=differing(runs),
        colours=[canvas.CYCLE[i % len(canvas.CYCLE)] for i in range(len(runs))],
        concerns=[concerns(run) for run in runs],
    )
    return _save(path, page)


def title(run: Run) -> str:
    """`grpo · train`: the method and the recipe, or the folder's name if run.json says neither."""
    words = [str(run.info[key]) for key in ("method", "recipe") if run.info.get(key)]
    return " · ".join(dict.fromkeys(words)) or run.name


def about(run: Run) -> list[tuple[str, str]]:
    """What was run, in a few pairs: the heading's arguments, seed, steps, start, revision, versions."""
    info, given = run.info, arguments(run)
    pairs = [(key, _short(given[key])) for key in _HEADING if given.get(key) is not None]
    pairs += [(key.replace("_", " "), _short(given[key])) for key in _USED_WITH if given.get(key)]
    pairs += [("seed", str(info["seed"]))] if info.get("seed") is not None else []
    pairs.append(("steps", progress(run).removesuffix(" steps").removesuffix(" step")))
    pairs += [("started", str(info["started"]).replace("T", " ")[:16])] if info.get("started") else []
    pairs += [("revision", str(info["revision"])[:13])] if info.get("revision") else []
    pairs += [("code", ", ".join(info["code"]))] if isinstance(info.get("code"), dict) and info["code"] else []
    pairs += [("changed since", "; ".join(map(str, info["changed"])))] if isinstance(info.get("changed"), list) else []
    versions = info.get("versions")
    if isinstance(versions, dict):
        pairs.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return [(key.capitalize(), value) for key, value in pairs]


def command(run: Run) -> str:
    """The exact command, quoted for a shell; empty if run.json does not say."""
    given = run.info.get("command")
    if isinstance(given, list):
        return shlex.join(str(word) for word in given)
    return str(given) if given else ""


def flatten(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested arguments as (dotted name, JSON value)."""
    if isinstance(value, Mapping) and value:
        return [
            pair for key, inner in value.items() for pair in flatten(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    if not prefix:
        return []
    return [(prefix, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))]


def measured(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Rows of the comparison: each measure's first and last value in every run; `–` where a run lacks it."""
    tables = [{fact.label: fact.line() for fact in facts(run)} for run in runs]
    labels = dict.fromkeys(label for table in tables for label in table)
    rows = [(label, [table.get(label, MISSING) for table in tables]) for label in labels]
    rows.append(("steps", [progress(run) for run in runs]))
    rows.append(("time", [duration(total_seconds(run)) for run in runs]))
    rows.append(("status", [run.status for run in runs]))
    return rows


def differing(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The settings, method and seed in which the runs differ."""
    keys = ("recipe", "method", "seed", "revision")
    tables = [dict(flatten({k: run.info.get(k) for k in keys} | dict(arguments(run)))) for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [(name, [table.get(name, MISSING) for table in tables]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _names(runs: Sequence[Run]) -> list[str]:
    """Folder names; where two are equal, as much of the paths as tells them apart."""
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    paths = [run.folder.resolve() for run in runs]
    common = os.path.commonpath(paths)
    return [str(path.relative_to(common)) for path in paths]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:38]} … {text[-38:]}"


def _template(name: str):
    environment = Environment(
        loader=PackageLoader("rlft.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.globals["colours_light"] = {name: pair[0] for name, pair in canvas.COLOURS.items()}
    environment.globals["colours_dark"] = {name: pair[1] for name, pair in canvas.COLOURS.items()}
    environment.globals["scale"] = canvas.REWARD_SCALE
    return environment.get_template(name)


def _save(path: Path, page: str) -> Path:
    """Written beside and renamed, so that a reader never meets half a page. Lone surrogates of a sample become `?`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(page.encode("utf-8", "replace"))
    return beside.replace(path)
