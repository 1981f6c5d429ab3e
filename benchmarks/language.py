"""A GRPO step of rlft beside TRL's: time by stage, memory, and generation alone. Not about what is learned.

    python -m venv /tmp/trl && /tmp/trl/bin/pip install trl==1.16.0 torch==2.13.0 transformers==5.23.0
    python benchmarks/language.py --trl /tmp/trl/bin/python            writes benchmarks/results/language.json
    python benchmarks/language.py --trl /tmp/trl/bin/python --steps 5 --settings main     a look, writes nothing

Both start from the same weights and take turns: a step of one, a step of the other, each in a process of its own that
waits while the other works, one thread. A ratio is the median over such pairs, of processor time, which other programs
on the machine do not disturb much, and of the wall clock. Memory is a process's own: the most it held in training
beyond what it held when it was ready to train, and in all. Same task, batch, loss (GRPO without KL), optimiser, dtype.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from language_engines import Size, make

HERE = Path(__file__).parent
MAIN = {"layers": 4, "width": 128, "vocabulary": 68, "prompts": 8, "group": 8, "prompt": 12, "completion": 16}
# The shape of SmolLM2-135M: 134.5 million weights, of which the head, which is the embeddings too, has a fifth.
REAL = {"layers": 30, "width": 576, "inner": 1536, "heads": 9, "key_heads": 3, "vocabulary": 49152}
REAL = {**REAL, "prompts": 2, "group": 4, "prompt": 64, "completion": 48, "lr": 1e-5}
SETTINGS: dict[str, Size] = {
    "main": MAIN,
    "128 completions": {**MAIN, "prompts": 16},
    "d256, 128 completions": {**MAIN, "width": 256, "prompts": 16},
    "2 layers, d64": {**MAIN, "width": 64, "layers": 2},
    "vocabulary 4096": {**MAIN, "vocabulary": 4096},
    "long prompts": {**MAIN, "prompt": 128},
    "long completions": {**MAIN, "completion": 128, "prompts": 4},
    "main, MKL alone": {**MAIN, "mkl": 1},
    "d256, MKL alone": {**MAIN, "width": 256, "prompts": 16, "mkl": 1},
}
# Minutes for a pair, so they are asked for by name.
LARGE: dict[str, Size] = {
    "real": REAL,
    "real, LoRA": {**REAL, "lora": 16},
    "real, bfloat16": {**REAL, "dtype": "bfloat16"},
    "real, bfloat16, LoRA": {**REAL, "lora": 16, "dtype": "bfloat16"},
}
# The first steps of a process allocate and try things out.
WARM = 3
GENERATION = ("generate: tokens", "generate: rest")


class Engine:
    """One engine's process."""

    def __init__(self, name: str, python: str, folder: Path, size: Size, source: str | None):
        words = [python, str(HERE / "language_engines.py"), name, str(folder), json.dumps(size)]
        quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
        if source and name == "rlft":
            quiet["PYTHONPATH"] = source
        self.errors: Any = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=quiet
        )
        self.ready = self._answer()["ready_mib"]

    def step(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        print("step", file=self.process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise SystemExit(self.errors.read()[-3000:])
        return json.loads(line)


def measured(size: Size, asked: argparse.Namespace) -> dict[str, Any]:
    """Both engines at one setting."""
    warm = WARM if size["layers"] < 8 else 1
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if asked.model and size["layers"] >= 8:
            folder = asked.model
        else:
            make(folder, size)
        pythons = {"rlft": sys.executable, "trl": asked.trl}
        engines = {name: Engine(name, python, folder, size, asked.source) for name, python in pythons.items()}
        taken: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
        for _ in range(warm + asked.steps):
            for name, engine in engines.items():
                taken[name].append(engine.step())
        for engine in engines.values():
            engine.close()
    found = {name: summed(rows[warm:], engines[name].ready) for name, rows in taken.items()}
    pairs = list(zip(taken["rlft"][warm:], taken["trl"][warm:], strict=True))
    ratios = {
        "step, cpu": statistics.median(a["cpu"] / b["cpu"] for a, b in pairs),
        "step, wall": statistics.median(a["wall"] / b["wall"] for a, b in pairs),
        # All of our generation beside the bare `model.generate`, and beside all of theirs.
        "generation beside model.generate": statistics.median(
            seconds(a, GENERATION) / seconds(b, GENERATION[:1]) for a, b in pairs
        ),
        "generation": statistics.median(seconds(a, GENERATION) / seconds(b, GENERATION) for a, b in pairs),
        "forward": statistics.median(seconds(a, ("forward",)) / seconds(b, ("forward",)) for a, b in pairs),
        "backward": statistics.median(seconds(a, ("backward",)) / seconds(b, ("backward",)) for a, b in pairs),
        "optimiser": statistics.median(seconds(a, ("optimiser",)) / seconds(b, ("optimiser",)) for a, b in pairs),
        "memory beyond start": found["rlft"]["beyond_start_mib"] / found["trl"]["beyond_start_mib"],
        "memory": found["rlft"]["peak_mib"] / found["trl"]["peak_mib"],
    }
    return {"size": size, "pairs": len(pairs), "ratios": ratios, **found}


def seconds(step: dict[str, Any], stages: tuple[str, ...]) -> float:
    """Of these stages of a step."""
    return sum(step["stages"].get(stage, 0.0) for stage in stages)


def summed(rows: list[dict[str, Any]], ready: float) -> dict[str, Any]:
    """The medians of an engine's steps, in milliseconds; stages are of the processor's time."""
    stages = {name for row in rows for name in row["stages"]}
    split = {name: 1e3 * statistics.median(row["stages"].get(name, 0.0) for row in rows) for name in sorted(stages)}
    wall = 1e3 * statistics.median(row["wall"] for row in rows)
    split["rest"] = 1e3 * statistics.median(row["cpu"] - sum(row["stages"].values()) for row in rows)
    peak = rows[-1]["peak_mib"]
    return {
        "step_ms": wall,
        "step_cpu_ms": 1e3 * statistics.median(row["cpu"] for row in rows),
        "stages_ms": split,
        "ready_mib": ready,
        "peak_mib": peak,
        "beyond_start_mib": peak - ready,
    }


def shown(name: str, found: dict[str, Any]) -> str:
    """A few lines."""
    lines = [f"{name}: " + ", ".join(f"{what} {ratio:.2f}" for what, ratio in found["ratios"].items())]
    for engine in ("rlft", "trl"):
        one = found[engine]
        split = ", ".join(f"{stage} {ms:.1f}" for stage, ms in one["stages_ms"].items())
        memory = f"{one['ready_mib']:.0f} + {one['beyond_start_mib']:.0f} MiB"
        lines.append(f"  {engine:4} {one['step_ms']:7.1f} ms (cpu {one['step_cpu_ms']:7.1f})  {memory}   {split}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl", required=True, help="the python of an environment that has trl")
    parser.add_argument("--steps", type=int, default=20, help="pairs of steps")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=[*SETTINGS, *LARGE])
    parser.add_argument("--model", type=Path, help="the folder of a model of that size, for the real settings")
    parser.add_argument("--source", help="a folder with another rlft, to measure that one")
    asked = parser.parse_args()
    results = {}
    for name in asked.settings:
        results[name] = measured({**SETTINGS, **LARGE}[name], asked)
        print(shown(name, results[name]), flush=True)
    if asked.steps >= 20 and len(results) == len(SETTINGS) and not asked.source:
        from rlft.runs.folder import circumstances

        versions = subprocess.run([asked.trl, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
        theirs = [line for line in versions.splitlines() if line.split("==")[0] in ("trl", "torch", "transformers")]
        command = "python benchmarks/language.py --trl PYTHON"
        about = {"command": command, "trl environment": theirs, **circumstances()}
        (HERE / "results" / "language.json").write_text(json.dumps({**about, "settings": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
