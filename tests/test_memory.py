"""For whom large tensors are given back at once, and that they are."""

import subprocess
import sys

import pytest
import torch

from rlft import memory


def test_small_models_and_other_devices_change_nothing(monkeypatch):
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert not memory.large([torch.empty(2**23), torch.empty(2**23 - 1)])
    assert memory.large([torch.empty(2**23), torch.empty(2**23)])
    assert not memory.large([torch.empty(2**24, device="meta")])
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "123")
    assert not memory.large([torch.empty(2**24)])


@pytest.mark.skipif(memory.platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_is_freed_in_between_goes_back():
    """Ten pieces of 4 MiB with small ones between them that stay: freed inside, they leave nothing behind."""
    words = """
import torch
from pathlib import Path
from rlft.memory import spared
def held(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
def left():
    start, pieces, small = held(), [], []
    for _ in range(10):
        pieces.append(torch.ones(2**20)); small.append(torch.ones(2**10))
    del pieces
    return held() - start, small
torch.zeros(2**22).sum()  # freeing a large piece is what makes glibc keep others
with spared(True): other, more = left()
with spared(False): one, kept = left()
assert one > 25 and other < 8, (one, other)
"""
    assert subprocess.run([sys.executable, "-c", words], capture_output=True, text=True).stderr == ""
