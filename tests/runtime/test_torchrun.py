"""torchrun gives the numbers of one process, for every method: two and three processes, gloo, real launches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from rlft.methods import names
from tests.contracts.test_methods import trainer, weights
from tests.runtime.worker import sgd

ROOT = Path(__file__).parents[2]


def torchrun(processes: int, *command: str, cwd: Path = ROOT) -> None:
    """Launch, and show what went wrong if it did."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(launch, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_world_size_is_not_a_hyperparameter(processes, tmp_path):
    torchrun(processes, "tests/runtime/worker.py", str(tmp_path))
    pages = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(processes)]
    for name in names():
        t = trainer(name, prompts=5, optimizer=sgd)
        start = weights(t).clone()
        log = list(t.run(3))
        assert (weights(t) - start).abs().max() > 1e-4, f"{name} did not move"
        for page in pages:
            moved, theirs = page[name]
            assert_close(moved, weights(t), atol=1e-12, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
            for here, there in zip(log, theirs, strict=True):
                timeless = [k for k in here if not k.startswith(("seconds", "decisions_per"))]
                mine, its = ([line[k] for k in timeless] for line in (here, there))
                assert_close(mine, its, atol=1e-6, rtol=0, equal_nan=True)
