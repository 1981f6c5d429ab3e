"""What in a run's numbers calls for a look, in plain words; every rule states its threshold. Not a verdict.

Each rule is a function of the run that returns a Concern or None; `concerns` asks them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from rlft.report import pictures, series
from rlft.report.files import Record, Run, arguments
from rlft.report.summary import evaluation_names, evaluations, measure
from rlft.report.words import count, number, percent

# The first ratio of a cached float32 language decoder differs from a full forward by up to this; others by far less.
RATIO_TOLERANCE = 5e-5
# Metrics that every update yields, so that null there means that a number was lost.
_ALWAYS = ("reward", "loss", "grad_norm")


@dataclass(frozen=True)
class Concern:
    """`name` for tests and scripts, `title` in a few words, `text` with the numbers and what to do."""

    name: str
    title: str
    text: str


def concerns(run: Run) -> list[Concern]:
    """Every concern that the run's numbers raise, gravest first."""
    rules = (failed, not_a_number, parity, unscored, no_contrast, exploding, unwatched, saturated, collapse)
    rules += (flat, held_out, cut_off)
    return [found for rule in rules if (found := rule(run)) is not None]


def failed(run: Run) -> Concern | None:
    """The run says that it failed."""
    if run.status != "failed":
        return None
    reason = run.info.get("error")
    text = f"It ended with: {reason}" if reason else "run.json gives no reason; the terminal's last lines may."
    return Concern("failed", "The run failed", str(text))


def not_a_number(run: Run) -> Concern | None:
    """A metric was NaN or infinite, or a reward, loss or gradient norm was null."""
    found = []
    for key in run.logged:
        _, values = run.column(key)
        broken = int((~np.isfinite(values)).sum())
        if key in _ALWAYS:
            broken += sum(1 for record in run.metrics if key in record and record[key] is None)
        if broken:
            found.append(f"{key} in {count(broken, 'step')}")
    if not found:
        return None
    more = f" and {count(len(found) - 6, 'other metric')}" if len(found) > 6 else ""
    return Concern(
        "nan",
        "Numbers that are not numbers",
        f"NaN, infinite or missing: {', '.join(found[:6])}{more}. If the loss or the gradient is among them, the "
        "update of that step is not to be trusted: lower the learning rate, clip the gradient, or look for a reward of "
        "NaN.",
    )


def parity(run: Run) -> Concern | None:
    """`ratio/first`, the largest |ratio - 1| before the first update of a step, above 5e-5 in any step."""
    _, values = run.column("ratio/first")
    off = series.finite(values)
    off = off[np.abs(off) > RATIO_TOLERANCE]
    if not len(off):
        return None
    return Concern(
        "parity",
        "Sampler and trainer disagree",
        f"Before any update the ratio of new to old probability should be 1. It was off by up to "
        f"{number(float(np.abs(off).max()))} and by more than {number(RATIO_TOLERANCE)} in {len(off):,} of "
        f"{count(len(values), 'step')}. Half precision or another sampling engine explains small differences; large "
        "ones mean that the two score different distributions (temperature, masks, dropout), and every clipped "
        "objective is then wrong.",
    )


def unscored(run: Run) -> Concern | None:
    """Any row that the reward could not score."""
    _, values = run.column("rows/unscored")
    rows = series.finite(values)
    if not (rows > 0).any():
        return None
    return Concern(
        "unscored",
        "Rows without a reward",
        f"The reward could not score {count(int(rows.sum()), 'row')}, in {count(int((rows > 0).sum()), 'step')}. They "
        "were left out of the update, not counted as 0. See what those outputs are, and let the reward decide on them.",
    )


def no_contrast(run: Run) -> Concern | None:
    """Of at least five steps: no group with unequal rewards in over a fifth of them, or over half of all groups equal.

    A step counts if `groups/flat` is 1, `reward_std` is 0, or loss and gradient are exactly 0. Groups of one are left
    out of it, because they are flat by nature.
    """
    alone = arguments(run).get("group") == 1
    silent = [r for r in run.metrics if _silent(r, alone)]
    flat_groups = None if alone else series.mean(run.column("groups/flat")[1])
    if len(run.metrics) < 5:
        return None
    if len(silent) > 0.2 * len(run.metrics):
        where = f"In {percent(len(silent) / len(run.metrics))} of the steps"
    elif flat_groups is not None and flat_groups > 0.5:
        where = f"In {percent(flat_groups)} of the groups"
    else:
        return None
    return Concern(
        "contrast",
        "All rewards were the same",
        f"{where} every rollout of a problem got the same reward, so a method that compares them had nothing to learn "
        "from (loss and gradient 0). If the reward is not yet at its ceiling, problems of middling difficulty, a "
        "larger group, a finer reward, or a method that draws again until groups differ (dapo) help.",
    )


def _silent(record: Record, alone: bool) -> bool:
    nothing_moved = record.get("loss") == 0 and record.get("grad_norm") == 0
    return record.get("reward_std") == 0 or nothing_moved or (record.get("groups/flat") == 1 and not alone)


def exploding(run: Run) -> Concern | None:
    """KL of the last tenth of at least 20 steps above 1 nat a decision, or above 0.1 and five times the middle fifth's.

    `kl` is summed over a row; without `length`, 10 nats a row count instead of 1 nat a decision.
    """
    _, values = run.column("kl")
    if len(series.finite(values)) < 20:
        return None
    _, last = series.ends(values)
    _, length = series.ends(run.column("length")[1])
    middle = series.mean(values[2 * len(values) // 5 : 3 * len(values) // 5])
    most = length if length else 10.0
    if last is None or not (last > most or (middle is not None and last > 0.1 and last > 5 * middle)):
        return None
    against = f", against {number(middle)} half-way" if middle is not None else ""
    each = f" ({number(last / length)} a decision)" if length else ""
    return Concern(
        "kl",
        "The policy is far from its start",
        f"KL to the start ended at {number(last)} nats a row{each}{against}. The reward may have risen at the cost of "
        "what it does not measure: look at the held-out measures and the samples. A KL penalty, a lower learning rate "
        "or fewer steps hold it back.",
    )


def unwatched(run: Run) -> Concern | None:
    """The reward rose a hundredfold, from above 0 in the first tenth of steps to the last, and no KL was measured."""
    before, after = series.ends(run.column("reward")[1])
    if (
        before is None
        or after is None
        or before <= 0
        or after < 100 * before
        or len(series.finite(run.column("kl")[1]))
    ):
        return None
    return Concern(
        "unwatched",
        "Nobody measured how far the policy went",
        f"The reward rose from {number(before)} to {number(after)}, and no KL to the start was measured. A reward that "
        "rises a hundredfold is as often gamed as earned: look at the last samples, and measure the KL "
        "(--kl, watch_kl=True).",
    )


def saturated(run: Run) -> Concern | None:
    """Pictures of the last samples have over half of their numbers at or beyond -1 and 1, 20 points more than at first.

    A number is one channel of one pixel.
    """
    steps = sorted({record["step"] for record in run.samples})
    if len(steps) < 2:
        return None
    before, after = (_at_the_ends([r for r in run.samples if r["step"] == step]) for step in (steps[0], steps[-1]))
    if before is None or after is None or after <= 0.5 or after < before + 0.2:
        return None
    return Concern(
        "saturated",
        "Pictures are black or white",
        f"{percent(after)} of the pixels of the last samples are at an end of their range, of the first "
        f"{percent(before)}. Most rewards of pictures can be gamed so: look at them, hold the policy nearer to its "
        "start (KL), or stop earlier.",
    )


def _at_the_ends(records: Sequence[Record]) -> float | None:
    """The share of all pixels of these records' pictures that are at -1 or 1, or beyond; None without any picture."""
    found = []
    for row in (row for record in records for row in record.get("rows") or [] if isinstance(row, dict)):
        if row.get("kind") == "image":
            with suppress(ValueError):
                found.append(np.abs(pictures.pixels(row)).ravel() >= 1)
    return float(np.concatenate(found).mean()) if found else None


def collapse(run: Run) -> Concern | None:
    """Entropy of the last tenth of at least 20 steps below a tenth of what it was in the first.

    A continuous policy's entropy depends on its units and may be negative, so then this says nothing.
    """
    _, values = run.column("entropy")
    if len(series.finite(values)) < 20:
        return None
    first, last = series.ends(values)
    if first is None or last is None or not 0 <= last < 0.1 * first:
        return None
    return Concern(
        "entropy",
        "Entropy collapsed",
        f"Entropy fell from {number(first)} to {number(last)}: the policy gives almost the same output every time, and "
        "groups stop differing. A higher upper clip, an entropy bonus, a KL penalty or an earlier checkpoint help.",
    )


def flat(run: Run) -> Concern | None:
    """Training reward of the last fifth not above that of the first by two standard errors (of at least 20 steps)."""
    _, values = run.column("reward")
    moved = series.trend(values)
    if moved is None or moved[0] > 2 * moved[1]:
        return None
    first, last = series.ends(values)
    fell = moved[0] < -2 * moved[1]
    return Concern(
        "flat",
        "Training reward fell" if fell else "Training reward did not move",
        f"It was {number(first)} in the first tenth of the steps and {number(last)} in the last; chance alone moves it "
        f"by about {number(moved[1])}. More steps, a higher learning rate, a larger group or easier problems may help, "
        "if the policy ever earns a reward at all.",
    )


def held_out(run: Run) -> Concern | None:
    """Training reward rose by more than two standard errors while a held-out reward did not rise."""
    moved = series.trend(run.column("reward")[1])
    if moved is None or moved[0] <= 2 * moved[1]:
        return None
    for name in evaluation_names(run):
        records = [record for record in evaluations(run, name) if measure(record) is not None]
        if len(records) < 2:
            continue
        before, after = measure(records[0]), measure(records[-1])
        if before is not None and after is not None and after <= before:
            return Concern(
                "held-out",
                "What was learned did not carry over",
                f"Training reward rose by {number(moved[0])}, but {name} reward went from {number(before)} to "
                f"{number(after)}. The policy has fitted its training problems, or the reward's blind spots.",
            )
    return None


def cut_off(run: Run) -> Concern | None:
    """Over a tenth of the rows ended at the length limit: by a metric `truncated`, else by the last samples."""
    key = "measure/truncated" if "measure/truncated" in run.logged else "truncated"
    _, values = run.column(key)
    _, share = series.ends(values) if len(values) else (None, None)
    if share is None and run.samples:
        last = run.samples[-1]["step"]
        rows = [row for r in run.samples if r["step"] == last for row in r.get("rows") or [] if isinstance(row, dict)]
        ended = [bool(row["truncated"]) for row in rows if "truncated" in row]
        share = sum(ended) / len(ended) if ended else None
    if share is None or share <= 0.1:
        return None
    return Concern(
        "length",
        "Completions are cut off",
        f"{percent(share)} of the completions ended at the length limit rather than by themselves, and what they would "
        "have answered was never seen. Allow more tokens, or reward shorter answers.",
    )
