"""The other run that arms are compared with, and the command at full size."""

from __future__ import annotations

import shlex

import pytest
import torch

from rlft.recipes.path_not_taken import CLAIM, STEPS, other, path_not_taken
from rlft.tool.main import COMMANDS
from rlft.worlds.weighed import matrices


@pytest.mark.slow
def test_the_other_run_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RLFT_CACHE", str(tmp_path))
    other.cache_clear()
    masks = other(2, 1)
    (kept,) = tmp_path.glob("path_not_taken-*.safetensors")
    run = path_not_taken(imitation=2, steps=1, beside=1, seed=1009)
    assert {name: mask.shape for name, mask in masks.items()} == {
        name: its.shape for name, its in matrices(run.trainer.policy).items()
    }
    before = kept.stat().st_mtime_ns
    other.cache_clear()
    assert all(torch.equal(mask, masks[name]) for name, mask in other(2, 1).items())
    assert kept.stat().st_mtime_ns == before
    # The same seed makes the same changes, and a share of them is what chance would not have.
    run.trainer.step()
    (watched,) = run.probes
    density = float(torch.cat([mask.flatten() for mask in masks.values()]).double().mean())
    assert 0 < density < 1 and watched(run.trainer.policy)["shared"] > 0.1
    other.cache_clear()


def test_arms_are_compared_with_as_long_a_run():
    assert {its.arguments["beside"] for its in CLAIM.arms.values() if "beside" in its.arguments} == {STEPS}


def test_the_command_at_full_size():
    assert " ".join(shlex.split(CLAIM.real)[1:3]) in COMMANDS
