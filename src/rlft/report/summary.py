"""The short table of a run: held-out before and after, training ends, time. It judges nothing; `concerns` does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlft.report import series
from rlft.report.files import Record, Run, as_number
from rlft.report.words import change, count, duration, interval, number

# What of an evaluation is not a measure.
_NOT_MEASURES = {"step", "name", "problems", "samples", "interval", "seconds"}

# Metrics that everybody looks at first, with the words for them.
_WATCHED = {
    "kl": "KL to the start",
    "length": "length",
    "entropy": "entropy",
    "decisions_per_second": "decisions per second",
}


@dataclass(frozen=True)
class Fact:
    """One line of the table: a measure before and after. `note` says what the two are means of."""

    label: str
    before: float | None
    after: float | None
    note: str = ""
    before_interval: tuple[float, float] | None = None
    after_interval: tuple[float, float] | None = None

    @property
    def change(self) -> str:
        return change(self.before, self.after)

    @property
    def before_bounds(self) -> str:
        return interval(self.before_interval)

    @property
    def after_bounds(self) -> str:
        return interval(self.after_interval)

    def line(self) -> str:
        """`0.310 [0.28, 0.34] → 0.720 [0.68, 0.76] (+0.410)`; one side alone where only one was measured."""
        after = f"{number(self.after)} {self.after_bounds}".rstrip()
        if self.before is None:
            return after
        before = f"{number(self.before)} {self.before_bounds}".rstrip()
        return f"{before} → {after}" + (f" ({self.change})" if self.change else "")


def facts(run: Run) -> list[Fact]:
    """Held-out measures first and last evaluated; then training metrics, means of the first and last tenth of steps."""
    lines = [fact for name in evaluation_names(run) for fact in _held_out(run, name)]
    _, rewards = run.column("reward")
    if len(rewards):
        lines.append(_training("training reward", rewards))
    for key, label in _WATCHED.items():
        _, values = run.column(key)
        if len(values):
            lines.append(_training(label, values))
    return lines


def summary_lines(run: Run) -> list[tuple[str, str]]:
    """What the tool prints at the end: (label, value), held-out reward first, then training, steps and time."""
    lines = [(fact.label, fact.line()) for fact in facts(run)]
    lines.append(("steps", progress(run)))
    lines.append(("time", duration(total_seconds(run))))
    return lines


def progress(run: Run) -> str:
    """`200 steps`, or `120 of 200 steps` for a run that has not made them all."""
    planned = as_number(run.info.get("steps"))
    if planned is None or not np.isfinite(planned) or run.last_step >= planned:
        return count(run.last_step, "step")
    return f"{run.last_step:,} of {count(int(planned), 'step')}"


def total_seconds(run: Run) -> float | None:
    """Seconds of all logged steps: the sum of `seconds/step`, else of the other `seconds/` columns; None without."""
    stages = ["seconds/step"] if "seconds/step" in run.logged else [k for k in run.logged if k.startswith("seconds/")]
    spent = [series.finite(run.column(key)[1]) for key in stages]
    return float(sum(column.sum() for column in spent)) if any(len(column) for column in spent) else None


def evaluation_names(run: Run) -> list[str]:
    """The names under which the run was evaluated, in order of appearance."""
    return list(dict.fromkeys(str(record.get("name") or "evaluation") for record in run.evaluations))


def evaluations(run: Run, name: str) -> list[Record]:
    """The evaluations of one name, in order of steps."""
    return [record for record in run.evaluations if str(record.get("name") or "evaluation") == name]


def bounds(record: Record) -> tuple[float, float] | None:
    """An evaluation's interval, if it has a usable one."""
    found = record.get("interval")
    if not isinstance(found, (list, tuple)) or len(found) != 2:
        return None
    low, high = as_number(found[0]), as_number(found[1])
    if low is None or high is None or not np.isfinite([low, high]).all():
        return None
    return low, high


def measure(record: Record, key: str = "reward") -> float | None:
    """One number of an evaluation; None if it is missing or not finite."""
    value = as_number(record.get(key))
    return value if value is not None and np.isfinite(value) else None


def _held_out(run: Run, name: str) -> list[Fact]:
    """The measures of the first and last evaluation; an only one counts as after, unless it was made before step 1."""
    records = evaluations(run, name)
    first, last = records[0], records[-1]
    only_before = last["step"] < 1 <= run.last_step
    before = first if len(records) > 1 or only_before else None
    after = None if only_before else last
    keys = [key for key in last if key not in _NOT_MEASURES and measure(last, key) is not None]
    keys.sort(key=lambda key: key != "reward")
    return [
        Fact(
            label=f"{name} {key}",
            before=measure(before, key) if before else None,
            after=measure(after, key) if after else None,
            note=_evaluated([r for r in (before, after) if r]),
            before_interval=bounds(before) if before and key == "reward" else None,
            after_interval=bounds(after) if after and key == "reward" else None,
        )
        for key in keys
    ]


def _evaluated(records: list[Record]) -> str:
    last = records[-1]
    steps = " and ".join(f"{record['step']:,}" for record in records)
    problems, samples = measure(last, "problems"), measure(last, "samples")
    size = f"; {count(int(problems), 'problem')}" if problems else ""
    size += f" × {count(int(samples), 'sample')}" if problems and samples else ""
    return f"step{'s' if len(records) > 1 else ''} {steps}{size}"


def _training(label: str, values: np.ndarray) -> Fact:
    before, after = series.ends(values)
    if len(values) == 1:
        return Fact(label, None, after, note="one step")
    return Fact(label, before, after, note="means of the first and last tenth of steps")


@dataclass(frozen=True)
class Evaluations:
    """Every evaluation as a table of words."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def evaluation_table(run: Run) -> Evaluations:
    """Every evaluation in order of names, then steps, with each measure that any of them has."""
    keys = dict.fromkeys(
        key for r in run.evaluations for key in r if key not in _NOT_MEASURES and as_number(r[key]) is not None
    )
    keys = sorted(keys, key=lambda key: key != "reward")
    rows = []
    for name in evaluation_names(run):
        for record in evaluations(run, name):
            found = bounds(record)
            rows.append((name, f"{record['step']:,}", *(number(measure(record, key)) for key in keys), interval(found)))
    return Evaluations(("evaluation", "step", *keys, "interval"), tuple(rows))


def headline(run: Run) -> str:
    """One sentence: what happened to the held-out reward, or else to the training reward."""
    for fact in facts(run):
        if fact.before is None or fact.after is None or not fact.label.endswith("reward"):
            continue
        spent = total_seconds(run)
        took = f"{progress(run)}" + (f", {duration(spent)}" if spent is not None else "")
        return f"{fact.label[:1].upper()}{fact.label[1:]} {_moved(fact)} ({took})."
    return f"{progress(run)[:1].upper()}{progress(run)[1:]} so far, and nothing yet to compare." if run.metrics else ""


def _moved(fact: Fact) -> str:
    before, after = number(fact.before), number(fact.after)
    low, high = fact.before_interval, fact.after_interval
    if before == after:
        return f"stayed at {after}"
    verb = "rose" if (fact.after or 0.0) > (fact.before or 0.0) else "fell"
    overlap = low and high and low[0] <= high[1] and high[0] <= low[1]
    return f"{verb} from {before} to {after}" + (", within overlapping intervals" if overlap else "")
