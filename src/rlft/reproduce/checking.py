"""A result beside the committed one: number by number where one machine made both, by what they say elsewhere.

Sums of float32 round otherwise on another processor, and a base that is trained for hundreds of steps amplifies it, so
that a whole run comes out with other numbers. What must not differ is what was concluded from them. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlft.evidence.verdict import FAILS, HOLDS

# What of a machine decides how sums are rounded.
_ROUNDS = ("model", "vectors", "threads", "gpu")


def checked(result: Mapping[str, Any], committed: Mapping[str, Any]) -> tuple[list[str], bool]:
    """What is to be said of a result beside the committed one, and whether it contradicts it.

    On the committed result's machine, with its versions and seeds, every number must be equal. Elsewhere it contradicts
    what held if that fails, or the reverse; means outside the committed 95 % intervals are said, and are no
    contradiction: of other seeds, or other rounding, some lie there.
    """
    apart, same = _numbers(result, committed)
    told = [f"{same} of {same + len(apart)} runs that both have are equal in every number"]
    if not apart and same:
        return told, False
    other = _elsewhere(result, committed) if apart else "the seeds are others than the committed ones"
    if not other:
        return [*told, *(line for lines in apart for line in lines)], True
    told.append(f"{other}: other numbers are to be expected, so what was concluded is compared")
    pairs = _outcomes(result, committed)
    told += [f"“{text}”: {now}, committed {before}" for text, now, before in pairs if now != before]
    told.append(f"{sum(now == before for _, now, before in pairs)} of {len(pairs)} statements came out as committed")
    means = _means(result, committed)
    told += [line for line, inside in means if not inside]
    told.append(f"{sum(inside for _, inside in means)} of {len(means)} arms' means lie in the committed interval")
    return told, any({now, before} == {HOLDS, FAILS} for _, now, before in pairs)


def _numbers(result: Mapping[str, Any], committed: Mapping[str, Any]) -> tuple[list[list[str]], int]:
    """For each run that differs, its first differences; and how many runs are equal. Times do not count."""
    apart, same = [], 0
    for arm, data in result["arms"].items():
        for seed, run in data["runs"].items():
            there = committed["arms"].get(arm, {"runs": {}})["runs"].get(seed)
            if there is None:
                continue
            names = [n for n in {**run, **there} if not _timed(n) and run.get(n) != there.get(n)]
            same += not names
            lines = [f"{arm}, seed {seed}: {n} is {run.get(n)}, committed {there.get(n)}" for n in names[:3]]
            apart += [lines] if lines else []
    return apart, same


def _timed(name: str) -> bool:
    """Whether a number is of a clock, and so another one each time: `speed/NAME` is, of a claim about time."""
    return name == "cost/seconds" or name.startswith("speed/")


def _elsewhere(result: Mapping[str, Any], committed: Mapping[str, Any]) -> str:
    """Why the numbers need not be equal; empty where they must be."""
    ours, theirs = ({n: of["machine"].get(n) for n in _ROUNDS} for of in (result, committed))
    if theirs["model"] is None:
        return "the committed result does not say which processor made it"
    if ours != theirs:
        return f"this is {_named(ours)}, the committed result is of {_named(theirs)}"
    if result["versions"] != committed["versions"]:
        return f"the versions are {result['versions']}, those of the committed result {committed['versions']}"
    return ""


def _named(machine: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{value} threads" if name == "threads" else str(value) for name, value in machine.items() if value
    )


def _outcomes(result: Mapping[str, Any], committed: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each statement that both judged: its words, how it came out, and how it had."""
    there = {_key(s): s["outcome"] for s in committed["statements"]}
    return [(s["text"], s["outcome"], there[_key(s)]) for s in result["statements"] if _key(s) in there]


def _key(statement: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(statement[name] for name in ("metric", "arm", "over", "least", "most"))


def _means(result: Mapping[str, Any], committed: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The claim's metric of each arm, and whether its mean lies in the committed interval."""
    metric, found = result["claim"]["metric"], []
    for arm, spread in result["means"].items():
        if metric not in spread or metric not in committed["means"].get(arm, {}):
            continue
        now, before = spread[metric]["mean"], committed["means"][arm][metric]
        low, high = before["interval"]
        said = f"{arm}: {metric} is {now:.4g}, committed {before['mean']:.4g} [{low:.4g}, {high:.4g}]"
        found.append((said, low <= now <= high))
    return found
