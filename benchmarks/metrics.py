"""Sentence BLEU side by side: rlft, NLTK, sacrebleu, torchmetrics and rxlm (TensorBLEU). Time, memory, agreement.

    pip install -c constraints.txt nltk sacrebleu torchmetrics numba
    pip install --no-deps --target /tmp/rxlm rxlm          # its own folder: its other dependencies are not needed
    python benchmarks/metrics.py --rxlm /tmp/rxlm

Every size is one process in which all implementations take turns on the same batch, one thread, so that a ratio is of
neighbours in time; medians of ratios are given, of processor time (other programs on the machine do not count) and of
the wall clock. What makes lists and strings of tensors is inside the timings, as a training loop has to do it. Memory
is the peak above what was held before, in a process for each. `rlft` is the back end that is taken by itself: the
compiled one, where Numba is installed. Tokens are Zipf's, vocabulary 32 000; a reference is its candidate with 30 % of
the tokens replaced; lengths are uniform in [L/2, L]; smoothing is `floor`, that all have.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from rlft.measure.counters import (
    KINDS,
    OURS,
    Batch,
    Counter,
    batch,
    lists,
    nltk,
    ours,
    peak,
    published,
    sacrebleu,
    texts,
)

SIZES = ((32, 256), (128, 512), (256, 1024))
# Runs of an implementation at a size: as many as fit into this many seconds, at least five.
SECONDS = 12.0
# Not run where one call takes longer than this many seconds by the size before it.
SLOWEST = 30.0


def implementations(rxlm: Path | None) -> dict[str, Counter]:
    """By name, from a batch to scores."""
    from rlft.metrics import NUMPY, TORCH, Backend, sentence_bleu

    def by(backend: Backend | None) -> Counter:
        return lambda given: sentence_bleu(**given, preset="nltk", smoothing="floor", backend=backend).tolist()

    found = {OURS: ours(), "rlft, NumPy": by(NUMPY), "rlft, tensors": by(TORCH)}
    found |= {"nltk": nltk(), "sacrebleu": sacrebleu(), "torchmetrics": torchmetrics}
    return found if rxlm is None else found | {"rxlm": published(rxlm)}


def torchmetrics(given: Batch) -> list[float]:
    """A loop of calls of torchmetrics' `sacre_bleu_score`."""
    from torchmetrics.functional.text import sacre_bleu_score

    return [sacre_bleu_score([a], [[b]], tokenize="none").item() for a, b in texts(given)]


def compare(rows: int, length: int, rxlm: Path | None, leave: list[str]) -> dict[str, dict[str, float]]:
    """All implementations in turn on one batch; `leave` are left out as too slow."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    given, all_ = batch(rows, length), implementations(rxlm)
    chosen = {name: f for name, f in all_.items() if name not in leave}
    exact, once = all_["nltk"](given), {}
    for name, f in chosen.items():
        start = time.process_time()
        scores = f(given)
        once[name] = (time.process_time() - start, max(abs(a - b) for a, b in zip(scores, exact, strict=True)))
    rounds = 15
    times: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in chosen}
    for turn in range(rounds):
        for name, f in chosen.items():
            if name == OURS or turn >= max(5, SECONDS / len(chosen) / once[name][0]):
                continue
            times[name].append((*_timed(f, given), *_timed(chosen[OURS], given)))
    found = {}
    for name, runs in times.items():
        if runs:
            cpu, wall, our_cpu, our_wall = (list(column) for column in zip(*runs, strict=True))
            found[name] = {
                "cpu_ms": 1e3 * statistics.median(cpu),
                "wall_ms": 1e3 * statistics.median(wall),
                "ours_cpu_ms": 1e3 * statistics.median(our_cpu),
                "ratio_cpu": statistics.median(a / b for a, b in zip(cpu, our_cpu, strict=True)),
                "ratio_wall": statistics.median(a / b for a, b in zip(wall, our_wall, strict=True)),
                "runs": len(runs),
                "largest_difference_to_nltk": once[name][1],
            }
    every = [run[2] for runs in times.values() for run in runs]
    found[OURS] = {"cpu_ms": 1e3 * statistics.median(every), "largest_difference_to_nltk": once[OURS][1]}
    return found


def _timed(f: Callable, given: Batch) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    f(given)
    return time.process_time() - cpu, time.perf_counter() - wall


def kinds(rows: int, length: int) -> dict[str, dict[str, float]]:
    """Ours on other texts: processor milliseconds of each back end on the CPU, in turns."""
    torch.set_num_threads(1)
    found = {}
    for kind in KINDS:
        given, all_ = batch(rows, length, kind), implementations(None)
        times: dict[str, list[float]] = {OURS: [], "rlft, NumPy": []}
        for _ in range(25):
            for name, taken in times.items():
                taken.append(_timed(all_[name], given)[0])
        found[kind] = {name: 1e3 * statistics.median(taken[1:]) for name, taken in times.items()}
    return found


def first() -> float:
    """Processor seconds of a process's first call."""
    from rlft.metrics import sentence_bleu

    given = batch(2, 16)
    start = time.process_time()
    sentence_bleu(**given)
    return time.process_time() - start


def prefixes(rows: int, length: int, sampled: int) -> dict[str, float]:
    """Every prefix of every candidate: ours, and a loop of NLTK calls over `sampled` rows, scaled to all tokens."""
    from nltk.translate.bleu_score import SmoothingFunction
    from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

    from rlft.metrics import prefix_bleu

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    given, method = batch(rows, length), SmoothingFunction().method1

    def every(given):
        return prefix_bleu(**given, preset="nltk", smoothing="floor")

    scores, pairs = every(given), lists(given)
    own = statistics.median(_timed(every, given)[0] for _ in range(9))
    start, largest = time.process_time(), 0.0
    for row, (a, b) in enumerate(pairs[:sampled]):
        exact: Any = [nltk_bleu([b], a[:size], smoothing_function=method) for size in range(1, len(a) + 1)]
        largest = max(largest, max(abs(x - y) for x, y in zip(scores[row].tolist(), exact, strict=False)))
    # A loop's cost grows with the square of the length.
    share = sum(len(a) ** 2 for a, _ in pairs[:sampled]) / sum(len(a) ** 2 for a, _ in pairs)
    loop = (time.process_time() - start) / share
    return {
        "ours_cpu_ms": 1e3 * own,
        "nltk_cpu_ms": 1e3 * loop,
        "ratio_cpu": loop / own,
        "rows_run": sampled,
        "largest_difference_to_nltk": largest,
    }


def peak_of(name: str, rows: int, length: int, rxlm: Path | None) -> float:
    """MiB above what was held before."""
    torch.set_num_threads(1)
    f = implementations(rxlm)[name]
    f(batch(2, 16))
    return peak(f, batch(rows, length))


def child(rxlm: Path | None, *task: object, **environment: str) -> dict | float:
    """Run one task in a process of its own."""
    words = [sys.executable, __file__, *(["--rxlm", str(rxlm)] if rxlm else []), "--task", json.dumps(task)]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def run_task(task: list, rxlm: Path | None) -> dict | float:
    """What a child was started for."""
    match task:
        case ["compare", rows, length, leave]:
            return compare(rows, length, rxlm, leave)
        case ["kinds", rows, length]:
            return kinds(rows, length)
        case ["first"]:
            return first()
        case ["prefixes", rows, length, sampled]:
            return prefixes(rows, length, sampled)
        case ["peak", name, rows, length]:
            return peak_of(name, rows, length, rxlm)
    raise SystemExit(f"unknown task {task}")


def measure(rxlm: Path | None) -> dict:
    """Everything."""
    results: dict = {"time": {}, "kinds": {}, "first_call_s": [], "memory_mib": {}, "prefixes": {}}
    with tempfile.TemporaryDirectory() as cache:
        results["first_call_s"] = [child(None, "first", NUMBA_CACHE_DIR=cache) for _ in range(2)]
    print(f"first call, nothing kept yet and in another process: {results['first_call_s']} s")
    leave: list[str] = []
    for rows, length in SIZES:
        found = child(rxlm, "compare", rows, length, leave)
        assert isinstance(found, dict)
        results["time"][f"{rows}x{length}"] = found
        # The next size has 8 times the tokens; rxlm's cost grows with the square of the rows.
        leave += [name for name, f in found.items() if f["cpu_ms"] * 10 > 1e3 * SLOWEST]
        print(f"{rows} x {length}")
        for name, f in sorted(found.items(), key=lambda item: item[1]["cpu_ms"]):
            cpu, wall, off = f.get("ratio_cpu", 1.0), f.get("ratio_wall", 1.0), f["largest_difference_to_nltk"]
            print(f"  {name:14} {f['cpu_ms']:10.2f} ms  x{cpu:8.1f} (wall x{wall:.1f})   off NLTK by {off:.0e}")
    for rows, length in SIZES[1:]:
        results["kinds"][f"{rows}x{length}"] = found = child(None, "kinds", rows, length)
        print(f"kinds {rows} x {length}: {found}")
    for rows, length, sampled in ((32, 256, 32), (64, 512, 4)):
        found = child(rxlm, "prefixes", rows, length, sampled)
        results["prefixes"][f"{rows}x{length}"] = found
        print(f"prefixes {rows} x {length}: {found}")
    names = [OURS, "rlft, NumPy", "rlft, tensors", *(["rxlm"] if rxlm else [])]
    for rows, length in ((64, 512), (128, 512), (256, 512), (256, 1024), (512, 1024)):
        for name in names:
            if name == "rxlm" and rows * length > 2**18:
                continue
            results["memory_mib"].setdefault(name, {})[f"{rows}x{length}"] = child(rxlm, "peak", name, rows, length)
        print(
            rows,
            length,
            {n: round(v[f"{rows}x{length}"], 1) for n, v in results["memory_mib"].items() if f"{rows}x{length}" in v},
            "MiB",
        )
    return results


def versions() -> dict[str, str]:
    """Of everything that is compared."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("rlft", "torch", "numpy", "numba", "nltk", "sacrebleu", "torchmetrics", "rxlm"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxlm", type=Path, help="folder that rxlm was installed into")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "metrics.json")
    parser.add_argument("--task", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(run_task(given.task, given.rxlm)))
        return
    if given.rxlm:
        sys.path.append(str(given.rxlm))
    results = measure(given.rxlm)
    results["versions"] = versions()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
