"""Which method when: what the committed results say of methods that were tried on the same task at one budget.

Two arms of a result are compared if they differ in the method, and beside it in nothing but how rows are divided and
what was tuned. Nothing is run; intervals are those of the evidence, over the same seeds.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean
from typing import Any

from rlft import recipes
from rlft.evidence.claim import as_plain
from rlft.evidence.statistics import interval
from rlft.reproduce import results
from rlft.reproduce.catalogue import systems
from rlft.reproduce.catalogue_page import kinds

# Of the settings of an arm: how its budget is spent, which the claim fixes for all arms, and its tuning.
_SPENT = ("prompts", "group", "seed", "lr")
_START = [
    "# Which method when",
    "",
    "Every pair of methods that a [result](index.md) here compares on one task, at one budget and tuned alike, by the "
    "number that the claim looks at first. A method with several arms there stands with its best. **Ahead** is said "
    "where the 95 % interval over the paired seeds leaves 0 out; a pair that does not is level as far as can be seen. "
    "These are small tasks: an order that holds on several is worth more than one that is large on one.",
    "",
]


@dataclass(frozen=True)
class Compared:
    """Two methods on one task.

    key          of the result
    metric       the claim's number; `higher` whether more of it is better
    better       the method whose mean is the better one
    worse        the other
    arms         the arms they are the methods of
    difference   of the means, better minus worse; `low` and `high` its interval over seeds
    seeds        that both were run on
    """

    key: str
    metric: str
    higher: bool
    better: str
    worse: str
    arms: tuple[str, str]
    difference: float
    low: float
    high: float
    seeds: int

    @property
    def settled(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def compared(key: str, result: Mapping[str, Any], usual: str) -> list[Compared]:
    """The pairs of a result, whose arms are of the method `usual` where they name none."""
    metric, higher = result["claim"]["metric"], result["claim"]["higher"]
    found: list[Compared] = []
    for arms in _alike(result, usual):
        best = {method: max(its, key=lambda arm: _rank(its[arm], higher)) for method, its in arms.items()}
        for one, other in combinations(best, 2):
            a, b = arms[one][best[one]], arms[other][best[other]]
            seeds = sorted(a.keys() & b.keys())
            if len(seeds) < 2:
                continue
            if _rank(a, higher) < _rank(b, higher):
                one, other, a, b = other, one, b, a
            values = [a[seed] - b[seed] for seed in seeds]
            low, high = interval(values)
            pair = (best[one], best[other])
            found.append(Compared(key, metric, higher, one, other, pair, mean(values), low, high, len(seeds)))
    return found


def _alike(result: Mapping[str, Any], usual: str) -> Iterator[dict[str, dict[str, dict[int, float]]]]:
    """Arms that differ in their method alone: {method: {arm: {seed: number}}}."""
    tuned = {name for rows in result["tuning"].values() for row in rows for name in row["settings"]}
    groups: dict[str, dict[str, dict[str, dict[int, float]]]] = {}
    for arm, data in result["arms"].items():
        told = data["arguments"]
        numbers = {int(seed): run.get(result["claim"]["metric"]) for seed, run in data["runs"].items()}
        if told.get("steps") == 0 or any(number is None for number in numbers.values()):
            continue
        rest = {name: value for name, value in told.items() if name not in (*_SPENT, *tuned, "method")}
        method = told.get("method", {"method": usual})["method"]
        groups.setdefault(json.dumps(rest, sort_keys=True), {}).setdefault(method, {})[arm] = numbers
    yield from (methods for methods in groups.values() if len(methods) > 1)


def _rank(numbers: Mapping[int, float], higher: bool) -> float:
    return mean(numbers.values()) * (1 if higher else -1)


def everywhere() -> list[Compared]:
    """Of every committed result whose recipe has a method."""
    found: list[Compared] = []
    for path in sorted(results.FOLDER.glob("*.json")):
        found += of_key(path.stem, results.read(path))
    return found


def of_key(key: str, result: Mapping[str, Any]) -> list[Compared]:
    """The pairs of a result, if its recipe has a method."""
    method = inspect.signature(recipes.named(key)).parameters.get("method")
    return [] if method is None else compared(key, result, as_plain(method.default)["method"])


def markdown() -> str:
    """The page, the same for the same results."""
    pairs, tags = everywhere(), {one.key: [*one.modality, *one.task] for one in systems()}
    lines = [
        *_START,
        *_counts(pairs),
        "",
        kinds(),
        "",
        "| ahead | of | by | number | on | tags |",
        "|---|---|---|---|---|---|",
    ]
    ordered = sorted(pairs, key=lambda pair: (not pair.settled, pair.better, pair.worse, pair.key))
    return "\n".join([*lines, *(_row(pair, tags.get(pair.key, ())) for pair in ordered), ""])


def _row(pair: Compared, tags: Sequence[str]) -> str:
    methods = [f"[{name}](methods.md#{name})" for name in (pair.better, pair.worse)]
    methods[0] = f"**{methods[0]}**" if pair.settled else f"{methods[0]}, level"
    by = f"{pair.difference:+.3g} [{pair.low:.3g}, {pair.high:.3g}], {pair.seeds} seeds"
    number = f"`{pair.metric}`" + ("" if pair.higher else " (less is better)")
    on = f"[{pair.key}](evidence/{pair.key}.md): {pair.arms[0]}, {pair.arms[1]}"
    return f"| {' | '.join([*methods, by, number, on, ' '.join(f'`{tag}`' for tag in tags)])} |"


def _counts(pairs: Sequence[Compared]) -> list[str]:
    """How often each method was ahead, behind and level, in the order of the share."""
    methods = sorted({name for pair in pairs for name in (pair.better, pair.worse)})
    rows = []
    for name in methods:
        ahead = sum(pair.settled and pair.better == name for pair in pairs)
        behind = sum(pair.settled and pair.worse == name for pair in pairs)
        level = sum(not pair.settled and name in (pair.better, pair.worse) for pair in pairs)
        where = sorted({pair.key for pair in pairs if name in (pair.better, pair.worse)})
        links = ", ".join(f"[{key}](evidence/{key}.md)" for key in where)
        rows.append((-ahead / (ahead + behind + level), f"| `{name}` | {ahead} | {behind} | {level} | {links} |"))
    return ["| method | ahead | behind | level | on |", "|---|---|---|---|---|", *(row for _, row in sorted(rows))]
