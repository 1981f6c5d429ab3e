"""A system's page, written from its result's file alone: claim, verdict, measurement, settings. Measures nothing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlft import recipes
from rlft.reproduce import catalogue, results

Result = Mapping[str, Any]

_OUTCOMES = {"holds": "✓ holds", "fails": "✗ fails", "open": "○ open"}


def committed(result: Result) -> str:
    """The page of a committed result, with what a person made of it, as it stands in the documentation."""
    key = result["key"]
    return markdown(result, catalogue.title(key), results.reading(key), f"{key}.svg")


def markdown(result: Result, title: str, reading: str = "", figure: str | None = None) -> str:
    """The page. `reading` is what a person made of the numbers, `figure` the address of the picture."""
    claim = result["claim"]
    lines = [f"# {title}", "", f"> {claim['sentence']}", ">", f"> — {linked(claim['source'])}", ""]
    if result["smoke"]:
        lines += ["**A smoke run: seconds' size, one seed. Its verdict means nothing.**", ""]
    lines += [f"**Verdict: {result['verdict']}.** {_summary(result)}", ""]
    if result["uneven"]:
        lines += [f"The arms did not spend alike, so nothing is concluded: {'; '.join(result['uneven'])}.", ""]
    if figure:
        lines += [f"![{claim['metric']} of every arm]({figure})", ""]
    lines += ["## What was predicted, and what came out", "", *statements(result), ""]
    if reading:
        lines += [reading, ""]
    lines += ["## The arms", "", *measurements(result), "", *_settings(result), ""]
    lines += ["## Budget and scale", "", f"{claim['budget']} {_shared(result)}", "", claim["scaled_down"], ""]
    lines += ["## At full size", "", claim["real"], "", "## Again", "", *_again(result), ""]
    return "\n".join(lines)


def statements(result: Result) -> list[str]:
    """The table of statements."""
    rows = ["| | statement | number | measured | outcome |", "|---|---|---|---|---|"]
    for statement in result["statements"]:
        kind = "claim" if statement["claimed"] else "check"
        what = f"`{statement['metric']}` of {statement['arm']}"
        if statement["over"] is not None:
            what += f" − {statement['over']}"
        measured = f"{_number(statement['mean'])} {_interval(statement['interval'])}"
        outcome = _OUTCOMES[statement["outcome"]]
        rows.append(f"| {kind} | {statement['text']} | {what} {_bounds(statement)} | {measured} | {outcome} |")
    return rows


def measurements(result: Result) -> list[str]:
    """Mean and interval of every arm's numbers, and every seed's value of the first."""
    claim = result["claim"]
    names = list(dict.fromkeys((claim["metric"], *claim["table"])))
    names = [name for name in names if any(name in means for means in result["means"].values())]
    head = " | ".join(f"`{name}`" for name in names)
    rows = [f"| arm | {head} | every seed |", f"|---|{'---|' * (len(names) + 1)}"]
    for arm, means in result["means"].items():
        cells = [_cell(means[name]) if name in means else "" for name in names]
        seeds = [_number(run.get(claim["metric"])) for run in result["arms"][arm]["runs"].values()]
        rows.append(f"| {arm} | {' | '.join(cells)} | {', '.join(seeds)} |")
    return rows


def linked(text: str) -> str:
    """arXiv numbers as links."""
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def _summary(result: Result) -> str:
    claimed = [s["outcome"] for s in result["statements"] if s["claimed"]]
    counts = [
        f"{claimed.count(outcome)} {word}"
        for outcome, word in zip(_OUTCOMES, ("hold", "fail", "are open"), strict=True)
    ]
    runs = sorted({len(arm["runs"]) for arm in result["arms"].values()})
    seeds = " to ".join(map(str, dict.fromkeys((runs[0], runs[-1]))))
    return f"Of {len(claimed)} claimed statements {', '.join(counts)}; {seeds} seeds, intervals of 95 %."


def _settings(result: Result) -> list[str]:
    claim, lines = result["claim"], ["| arm | what it is | settings |", "|---|---|---|"]
    for arm, data in result["arms"].items():
        settings = {name: value for name, value in data["arguments"].items() if name != "seed"}
        lines.append(f"| {arm} | {claim['arms'][arm]['text']} | {_plain(settings)} |")
    if result["tuning"]:
        seeds = ", ".join(map(str, claim["tuning_seeds"]))
        lines += ["", f"Tuned by `{claim['metric']}` on seeds that are not reported ({seeds}), every value tried:", ""]
        for arm, rows in result["tuning"].items():
            tried = ", ".join(f"{_plain(row['settings'])}: {_number(_mean(row['values']))}" for row in rows)
            lines.append(f"- {arm}: {tried}")
    return lines


def _shared(result: Result) -> str:
    counts = []
    for count in result["claim"]["shared"]:
        spent = [run.get(f"cost/{count}") or 0 for arm in result["arms"].values() for run in arm["runs"].values()]
        counts.append(f"{max(spent):,.0f} {count.replace('/', ' ')}")
    return f"Each arm that trains spent {' and '.join(counts)} a seed." if counts else ""


def _again(result: Result) -> list[str]:
    minutes = result["cpu_seconds"] / 60
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    key, arm = result["key"], next(iter(result["arms"]))
    given = _given(result)
    return [
        "```",
        f"rlft reproduce {key}{given}             # {minutes:.0f} minutes of one core; goes on where it was stopped",
        f"rlft reproduce {key}{given} --check     # the same, and compares with the numbers of this page",
        f"rlft run {key} --arm {arm}       # one arm, with a report of its own",
        "```",
        *(
            ["", "Without `--set` the arms that want data are left out; equal files have equal hashes."]
            if given
            else []
        ),
        "",
        f"Measured {result['date']} with revision {result['revision']}, {versions}, {result['machine']['processor']}.",
    ]


def _given(result: Result) -> str:
    """The option that gives the arms their data, by the names of the files, or other words than the recipe's own."""
    words: dict[str, None] = {}
    for arm, its in result["claim"]["arms"].items():
        if "data" in its and arm in result["arms"]:
            usual = _usual(result["key"]) if result["key"] in recipes.names() else {}
            for name, value in result["arms"][arm]["arguments"].items():
                if isinstance(value, Mapping) and "file" in value:
                    words[f"{its['data']}.{name}={value['file']}"] = None
                elif isinstance(value, str) and name not in its["arguments"] and usual.get(name, value) != value:
                    words[f"{its['data']}.{name}={value}"] = None
    return f" --set {' '.join(words)}" if words else ""


def _usual(key: str) -> Mapping[str, Any]:
    """The recipe's own settings."""
    return {name: one.default for name, one in inspect.signature(recipes.named(key)).parameters.items()}


def _bounds(statement: Mapping[str, Any]) -> str:
    least, most = statement["least"], statement["most"]
    if least is None:
        return f"≤ {most:g}"
    return f"≥ {least:g}" if most is None else f"from {least:g} to {most:g}"


def _cell(means: Mapping[str, Any]) -> str:
    return f"{_number(means['mean'])} {_interval(means['interval'])}"


def _interval(bounds: Sequence[float | None]) -> str:
    low, high = bounds
    return "" if low is None or high is None else f"[{_number(low)}, {_number(high)}]"


def _number(value: float | None) -> str:
    if value is None or value != value:
        return "—"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{value:.1e}"


def _mean(values: Sequence[float | None]) -> float | None:
    kept = [value for value in values if value is not None]
    return sum(kept) / len(kept) if kept else None


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        name = value.get("method")
        rest = ", ".join(f"{key} {_plain(item)}" for key, item in value.items() if key != "method" or name is None)
        return f"{name}({rest})" if isinstance(name, str) else rest
    return f"{value:g}" if isinstance(value, float) else str(value)
