"""What holds for every test, said before the library is imported.

One torch thread per process: on shared cores two threads are ten to fifty times slower, and sums change order. Calls
are held to their annotations by `tests/annotated.py`.
"""

import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# Processes that tests start read modules compiled: to compile them all each time takes two seconds.
os.environ["PYTHONDONTWRITEBYTECODE"] = ""

import jaxtyping
import pytest
import torch

from tests.annotated import annotated

jaxtyping.jaxtyped = annotated
torch.set_num_threads(1)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_disks():
    """That what is written outlives the machine's power costs milliseconds each time, thousands of times; what is
    written by processes that tests kill does wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def no_pages():
    """Drawing takes longer than small runs, and is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlft.report.write", lambda folder, out=None: None)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What a file builds for its tests is built once: they stay in one process, unless the file says `SPREAD`."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and not getattr(item.module, "SPREAD", False):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))
