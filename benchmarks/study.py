"""`rlft study weights` on two folders of a real size: seconds and peak memory, in a process of its own.

    python benchmarks/study.py                 # 0.5 billion weights in bfloat16, shaped as Qwen2.5-0.5B
    python benchmarks/study.py --layers 4      # fewer layers

The weights are random; one in a hundred entries of each matrix is moved.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

WIDTH, INNER, NARROW, VOCABULARY = 896, 4864, 128, 151_936


def shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights."""
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, WIDTH),
        "model.norm.weight": (WIDTH,),
    }
    for layer in range(layers):
        at = f"model.layers.{layer}."
        found |= {f"{at}self_attn.{name}_proj.weight": (WIDTH, WIDTH) for name in "qo"}
        found |= {f"{at}self_attn.{name}_proj.weight": (NARROW, WIDTH) for name in "kv"}
        found |= {f"{at}mlp.{name}_proj.weight": (INNER, WIDTH) for name in ("gate", "up")}
        found |= {f"{at}mlp.down_proj.weight": (WIDTH, INNER), f"{at}input_layernorm.weight": (WIDTH,)}
    return found


def write(folder: Path, layers: int, moved: float) -> int:
    """A folder of such weights, `moved` of the entries moved; how many there are."""
    folder.mkdir()
    draws, moves = (torch.Generator().manual_seed(seed) for seed in (0, 1))
    tensors = {}
    for name, shape in shapes(layers).items():
        values = 0.02 * torch.randn(shape, generator=draws)
        if moved:
            values += 0.005 * (torch.rand(shape, generator=moves) < moved)
        tensors[name] = values.bfloat16()
    save_file(tensors, folder / "model.safetensors")
    return sum(tensor.numel() for tensor in tensors.values())


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=24)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        before, after = Path(place) / "before", Path(place) / "after"
        entries = write(before, given.layers, 0.0)
        write(after, given.layers, 0.01)
        words = [sys.executable, "-m", "rlft", "study", "weights", str(before), str(after)]
        start = time.perf_counter()
        done = subprocess.run(
            words, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
        )
        wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout)
    told = {
        "entries": entries,
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": wall,
        "peak_gib": used.ru_maxrss / 2**20,
    }
    print(json.dumps({name: round(value, 2) for name, value in told.items()}))


if __name__ == "__main__":
    main()
