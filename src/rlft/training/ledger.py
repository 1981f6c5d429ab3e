"""What one step logs: sums and weights that add over micro-batches and processes, maxima, seconds. No file, no screen.

Means are kept as (sum, weight) until the step closes, so a number does not depend on how the work was cut. The step's
metrics are explained in `docs/metrics.md`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from rlft.types import Rollouts, Runtime, Total, UserError

Number = Tensor | float | int
Metrics = dict[str, float | int]
# Groups whose rewards differ by less than this teach nothing to a method with group baselines.
FLAT = 1e-6
# What a step has in all, and not on average.
COUNTS = {"rows/unscored", "rows/drawn", "rows/demonstrated", "decisions/drawn"}


def check_finite(metrics: Metrics) -> None:
    """UserError where a loss or a gradient of a step is not finite: its weights are lost, and so is what follows."""
    judged = {name: value for name, value in metrics.items() if name.split("/")[0] in ("loss", "grad_norm")}
    if not all(map(math.isfinite, judged.values())):
        told = ", ".join(f"{name} {value:.4g}" for name, value in judged.items())
        raise UserError(
            f"the loss or its gradient is not finite at step {metrics['step']} ({told}); lower --lr, the "
            "learning rate, or look at the rewards"
        )


class Ledger:
    """One step's open accounts."""

    def __init__(self) -> None:
        self.sums: dict[str, list[Any]] = {}
        self.peaks: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def add(self, name: str, total: Number, weight: Number) -> None:
        """Add to a weighted mean. Tensors stay where they are until the step closes: no wait for the device."""
        held = self.sums.setdefault(name, [0.0, 0.0])
        held[0], held[1] = held[0] + total, held[1] + weight

    def peak(self, name: str, value: Tensor) -> None:
        """Keep the largest."""
        held = self.peaks.get(name)
        self.peaks[name] = value if held is None else torch.maximum(torch.as_tensor(held).to(value), value)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count wall-clock seconds to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def note(self, notes: Mapping[str, Number]) -> None:
        """Numbers that a `collect` wants to have logged; the same on every process."""
        for name, value in notes.items():
            self.add(name, float(value), 1.0)

    def lengths(self, rollouts: Rollouts) -> None:
        """Decisions of each row, and the entropy estimate -log pi_old of each decision."""
        decisions = rollouts.mask.sum()
        self.add("length", decisions, len(rollouts))
        self.add("entropy", -torch.where(rollouts.mask, rollouts.logp_old, 0).sum(), decisions)

    def demonstrated(self, rollouts: Rollouts) -> None:
        """Rows that a teacher gave."""
        self.add("rows/demonstrated", float(len(rollouts)), 1.0)

    def mismatch(self, rollouts: Rollouts, name: str = "mismatch") -> None:
        """How far what drew the rows is from the policy: k3 of KL(it || policy), nats a decision; the largest ratio."""
        log_ratio = torch.where(rollouts.mask, rollouts.logp_old - rollouts.column("logp_drawn"), 0)
        self.add(name, (log_ratio.exp() - 1 - log_ratio).sum(), rollouts.mask.sum())
        self.peak(f"{name}/largest", (log_ratio.exp() - 1).abs().amax())

    def rewards(self, rollouts: Rollouts, parts: Mapping[str, Tensor]) -> None:
        """Rewards, their spread, their parts, and the rows that could not be scored."""
        self.lengths(rollouts)
        if rollouts.has("logp_drawn") and len(rollouts):
            self.mismatch(rollouts)
        rewards = rollouts.rewards.double()
        for name, values in {"reward": rewards, **{f"reward/{name}": part for name, part in parts.items()}}.items():
            self.add(name, values.nansum(), values.isfinite().sum())
        self.add("reward/square", rewards.square().nansum(), rewards.isfinite().sum())
        self.add("rows/unscored", rewards.isnan().sum(), 1.0)
        self.add("rows/drawn", float(len(rollouts)), 1.0)
        self.add("decisions/drawn", rollouts.mask.sum(), 1.0)
        groups = rewards.reshape(-1, rollouts.group)
        low = torch.where(groups.isnan(), torch.inf, groups).amin(1)
        high = torch.where(groups.isnan(), -torch.inf, groups).amax(1)
        self.add("groups/flat", (high - low < FLAT).sum(), len(groups))

    def kl(self, rollouts: Rollouts) -> None:
        """log(pi_old / pi_ref), summed over each row's decisions: an estimate of the KL to the start, nats a row.

        Demonstrations beside rows that were drawn say nothing about it.
        """
        rollouts = rollouts.of(demonstrated=False)
        if not rollouts.mask.any():  # an ODE's rows have no likelihood, and 0 would be said of them
            return
        difference = torch.where(rollouts.mask, rollouts.logp_old - rollouts.logp_ref, 0)
        self.add("kl", difference.sum(), len(rollouts))

    def advantages(self, rollouts: Rollouts) -> None:
        """Mean size of an advantage; a demonstration has none."""
        rollouts = rollouts.of(demonstrated=False)
        decisions = rollouts.mask.sum()
        self.add("advantage/abs", torch.where(rollouts.mask, rollouts.advantages.abs(), 0).sum(), decisions)
        if rollouts.has("weight"):
            weight = rollouts.column("weight")
            self.add("weight/mean", torch.where(rollouts.mask, weight, 0).sum(), decisions)
            self.add("weight/none", (rollouts.mask & (weight == 0)).sum(), decisions)

    def measured(self, numbers: Mapping[str, Number], rows: int) -> None:
        """What measures say of a batch, weighted by its rows."""
        for name, value in numbers.items():
            self.add(f"measure/{name}", float(value) * rows, float(rows))

    def watch(self, total: Total, first: bool) -> None:
        """What a loss logs. Peaks whose name ends in `/first` count at the first update of a step alone."""
        for name, (value, weight) in total.means.items():
            self.add(name, value, weight)
        for name, value in total.peaks.items():
            if first or not name.endswith("/first"):
                self.peak(name, value)

    def update(self, name: str, loss: Tensor, weight: Tensor, norm: float) -> None:
        """An optimiser step: its loss (already summed over processes in `weight`), and the gradient's norm."""
        suffix = "" if name == "policy" else f"/{name}"
        self.add(f"loss{suffix}", loss / weight, 1.0)
        self.add(f"grad_norm{suffix}", norm, 1.0)

    def merge(self, page: Ledger) -> None:
        """Add what another ledger has of rows that belong to this step."""
        for name, (total, weight) in page.sums.items():
            self.add(name, total, weight)
        for name, value in page.peaks.items():
            self.peak(name, torch.as_tensor(value))

    def close(self, runtime: Runtime) -> Metrics:
        """The step's metrics over all processes; the accounts start again."""
        pages = _exchange(self.state_dict(), runtime)
        self.__init__()
        sums: dict[str, list[float]] = {}
        peaks: dict[str, float] = {}
        for page in pages:
            for name, (total, weight) in page["sums"].items():
                held = sums.setdefault(name, [0.0, 0.0])
                held[0], held[1] = held[0] + total, held[1] + weight
            for name, value in page["peaks"].items():
                peaks[name] = max(value, peaks.get(name, value))
        metrics = {name: total / weight for name, (total, weight) in sums.items() if weight}
        steps = sum(weight for name, (_, weight) in sums.items() if name.split("/")[0] == "loss")
        metrics["updates"] = round(steps / runtime.world)
        _spread(metrics, sums)
        seconds = {stage: max(page["seconds"].get(stage, 0.0) for page in pages) for stage in pages[0]["seconds"]}
        whole = sum(seconds.values())
        if "length" in sums and whole > 0:
            metrics["decisions_per_second"] = sums["length"][0] / whole
        return {**metrics, **peaks, **{f"seconds/{s}": v for s, v in seconds.items()}, "seconds/step": whole}

    def state_dict(self) -> dict[str, Any]:
        """The open accounts as plain numbers."""
        return {
            "sums": {name: [float(total), float(weight)] for name, (total, weight) in self.sums.items()},
            "peaks": {name: float(value) for name, value in self.peaks.items()},
            "seconds": dict(self.seconds),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take open accounts back."""
        self.sums = {name: list(pair) for name, pair in state["sums"].items()}
        self.peaks = dict(state["peaks"])
        self.seconds = dict(state["seconds"])


def _spread(metrics: dict[str, float], sums: Mapping[str, list[float]]) -> None:
    """Turn the mean square of the rewards into their standard deviation, and what is counted into its number."""
    if "reward/square" in metrics:
        variance = metrics.pop("reward/square") - metrics["reward"] ** 2
        metrics["reward_std"] = max(variance, 0.0) ** 0.5 if variance == variance else float("nan")
    for name in COUNTS & set(sums):
        metrics[name] = sums[name][0]


def _exchange(page: dict[str, Any], runtime: Runtime) -> list[dict[str, Any]]:
    """Every process's page, sent as the bytes of a line of JSON."""
    line = torch.tensor(list((json.dumps(page) + "\n").encode()), dtype=torch.uint8)
    return [json.loads(text) for text in bytes(runtime.gather(line).tolist()).decode().splitlines()]
