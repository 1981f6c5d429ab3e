"""Who asks for large tensors to be given back at once, and that they are."""

import subprocess
import sys

import torch

from rlft.training import memory


def test_small_models_and_other_devices_change_nothing(monkeypatch):
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    monkeypatch.setattr(memory, "_apart", lambda: True)
    assert not memory.spare([torch.empty(2**23), torch.empty(2**23 - 1)])
    assert memory.spare([torch.empty(2**23), torch.empty(2**23)])
    assert not memory.spare([torch.empty(2**24, device="meta")])


def test_what_the_environment_says_stays(monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "123")
    monkeypatch.setattr(memory, "_apart", lambda: True)
    assert not memory.spare([torch.empty(2**24)])


def test_what_is_freed_in_between_goes_back():
    """Ten pieces of 4 MiB with small ones between them that stay: freed, they leave nothing behind."""
    words = """
import torch
from pathlib import Path
from rlft.training.memory import spare
if not spare([torch.empty(2**24)]): raise SystemExit(print("not glibc"))
def held(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
torch.zeros(2**23).sum()  # freeing a large piece is what makes glibc keep others
start, pieces, small = held(), [], []
for _ in range(10):
    pieces.append(torch.ones(2**20)); small.append(torch.ones(2**10))
assert held() - start > 35 * 2**20
del pieces
assert held() - start < 8 * 2**20, (held() - start) / 2**20
"""
    assert subprocess.run([sys.executable, "-c", words], capture_output=True, text=True).stderr == ""
