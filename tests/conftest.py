"""What holds for every test, said before the library is imported.

One torch thread per process: on shared cores two threads are ten to fifty times slower, and sums change order. Calls
are held to their annotations by `tests/annotated.py`.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")

import jaxtyping
import pytest
import torch

from tests.annotated import annotated

jaxtyping.jaxtyped = annotated
torch.set_num_threads(1)


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
