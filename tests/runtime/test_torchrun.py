"""torchrun gives the numbers of one process, for every method: two and three processes, gloo, real launches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from tests.contracts.test_methods import NAMES, trainer, weights
from tests.runtime.sharded import build
from tests.runtime.worker import sgd

ROOT = Path(__file__).parents[2]


def torchrun(processes: int, *command: str, cwd: Path = ROOT) -> None:
    """Launch, and show what went wrong if it did."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(launch, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_world_size_is_not_a_hyperparameter(processes, tmp_path):
    torchrun(processes, "tests/runtime/worker.py", str(tmp_path))
    pages = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(processes)]
    for name in NAMES:
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


@pytest.mark.slow
def test_a_sharded_model_gives_the_numbers_of_a_whole_one(tmp_path):
    """FSDP2 on the layers: weights, metrics, and a resume inside a step, against one process without sharding."""
    torchrun(2, "tests/runtime/sharded.py", str(tmp_path))
    alone = build()
    start = weights(alone).clone()
    log = list(alone.run(4))
    single = [line["grad_norm"] for line in build(dtype=torch.float32).run(2)]
    assert (weights(alone) - start).abs().max() > 1e-4
    for rank in range(2):
        page = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert page["sharded"] > 10, "nothing was sharded"
        assert page["same"], "a resumed run is not the straight run"
        for name, value in alone.policy.state_dict().items():
            assert_close(page["weights"][name], value, atol=1e-9, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
        assert_close([line["grad_norm"] for line in page["log"]], [line["grad_norm"] for line in log])
        assert_close([line["grad_norm"] for line in page["single"]], single, atol=1e-4, rtol=1e-3)  # float32
