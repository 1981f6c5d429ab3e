"""torchrun gives the numbers of one process, for every method: two and three processes, gloo, one real launch."""

import functools
import socket

import pytest
import torch
from torch.testing import assert_close

from tests import processes
from tests.contracts.test_methods import NAMES, trainer, weights
from tests.runtime import worker
from tests.runtime.sharded import build
from tests.runtime.worker import sgd, shared

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("torchrun")]


@pytest.fixture
def three(tmp_path):
    """What each of three processes of gloo found, which are here already: the launch itself is `two`."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    told = {"WORLD_SIZE": "3", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    places = [tmp_path / f"rank-{rank}" for rank in range(3)]
    begun = [
        processes.start(worker.main, str(tmp_path), into=place, RANK=str(rank), **told)
        for rank, place in enumerate(places)
    ]
    for process, place in zip(begun, places, strict=True):
        done = processes.done(process, place, timeout=240)
        assert done.returncode == 0, done.stderr
    return [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(3)]


@functools.cache
def one_process(name):
    """What one process comes to: its weights, and its log."""
    t = trainer(name, optimizer=sgd, **shared(name))
    start = weights(t).clone()
    log = list(t.run(3))
    assert (weights(t) - start).abs().max() > 1e-4, f"{name} did not move"
    return weights(t), log


@pytest.mark.parametrize("processes", ["two", "three"])
def test_world_size_is_not_a_hyperparameter(processes, request):
    pages = [page["methods"] for page in request.getfixturevalue(processes)]
    for name in NAMES:
        for page in pages:
            compare(name, one_process(name), page[name])


@pytest.mark.parametrize("processes", ["two", "three"])
def test_rows_drawn_ahead_are_those_of_one_process(processes, request):
    own = worker.ahead()
    assert [line["version/lag"] for line in own[1]] == [0, 1, 2, 2]
    for page in request.getfixturevalue(processes):
        compare("ahead", own, page["ahead"])


def compare(name, one, other):
    """Weights and metrics, but for what depends on the clock."""
    (own, log), (moved, theirs) = one, other
    assert_close(moved, own, atol=1e-12, rtol=0, msg=lambda m: f"{name}: {m}")
    for here, there in zip(log, theirs, strict=True):
        timeless = [k for k in here if not k.startswith(("seconds", "decisions_per"))]
        mine, its = ([line[k] for k in timeless] for line in (here, there))
        assert_close(mine, its, atol=1e-6, rtol=0, equal_nan=True)


def test_a_sharded_model_gives_the_numbers_of_a_whole_one(two):
    """FSDP2 on the layers: weights, metrics, and a resume inside a step, against one process without sharding."""
    alone = build()
    start = weights(alone).clone()
    log = list(alone.run(4))
    single = [line["grad_norm"] for line in build(dtype=torch.float32).run(2)]
    assert (weights(alone) - start).abs().max() > 1e-4
    for rank in range(2):
        page = two[rank]["sharded"]
        assert page["sharded"] > 10, "nothing was sharded"
        assert page["same"], "a resumed run is not the straight run"
        for name, value in alone.policy.state_dict().items():
            assert_close(page["weights"][name], value, atol=1e-9, rtol=0, msg=lambda m, n=name: f"{n}: {m}")
        assert_close([line["grad_norm"] for line in page["log"]], [line["grad_norm"] for line in log])
        assert_close([line["grad_norm"] for line in page["single"]], single, atol=1e-4, rtol=1e-3)  # float32
