"""Checkpoints that survive anything: written beside, synced, renamed, and believed only if their hashes agree.

A checkpoint is a folder `step-000120` or, inside a step, `step-000120.003` (updates done), with

    shared.pt        the state that is the same on every process
    own-<rank>.pt    each process's part of a step under way
    manifest.json    the SHA-256 of each, the step, the number of processes

Files are read with `weights_only`, so a checkpoint can carry no code.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rlft.runtime.local import Local
from rlft.types import Runtime, UserError


def save(folder: Path, state: Mapping[str, Any], runtime: Runtime | None = None, keep: int = 2) -> Path:
    """Write a checkpoint of `Trainer.state_dict()` into `folder` and drop all but the newest `keep`.

    Every process of the runtime must call this. A write that fails (no space, no permission) raises `UserError` and
    leaves the earlier checkpoints as they were.
    """
    runtime = runtime or Local()
    shared = state["shared"]
    name = f"step-{shared['steps_done']:06d}" + (f".{shared['updates_done']:03d}" if shared["updates_done"] else "")
    target, beside = folder / name, folder / f".{name}.writing"
    try:
        if runtime.rank == 0:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
        meet(runtime)
        _write(beside / f"own-{runtime.rank}.pt", state["own"])
        if runtime.rank == 0:
            _write(beside / "shared.pt", shared)
        meet(runtime)
        if runtime.rank == 0:
            _seal(beside, target, shared, runtime.world)
            _prune(folder, keep)
        meet(runtime)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(
            f"could not write checkpoint {target}: {error.strerror or error}; free some space, then go on with "
            "--resume. Earlier checkpoints are untouched"
        ) from error
    return target


def load(folder: Path, runtime: Runtime | None = None) -> tuple[dict[str, Any], Path, list[str]]:
    """The newest checkpoint whose files are whole: its state, its path, and a sentence on each newer one."""
    runtime = runtime or Local()
    passed: list[str] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        fault = _fault(path)
        if fault:
            passed.append(f"checkpoint {path.name} is damaged ({fault}); going back to the one before")
            continue
        manifest = json.loads((path / "manifest.json").read_text())
        shared = torch.load(path / "shared.pt", weights_only=True)
        inside = shared["updates_done"] > 0
        if inside and manifest["processes"] != runtime.world:
            raise UserError(
                f"checkpoint {path.name} was taken inside a step by {manifest['processes']} processes and can only "
                f"go on with as many; there are {runtime.world}"
            )
        mine = runtime.rank if runtime.rank < manifest["processes"] else 0
        return {"shared": shared, "own": torch.load(path / f"own-{mine}.pt", weights_only=True)}, path, passed
    reasons = "; ".join(passed) or "there is none"
    raise UserError(f"no usable checkpoint in {folder}: {reasons}")


def _write(path: Path, value: Any) -> None:
    with path.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as error:  # torch reports a full device as a RuntimeError of its zip writer
            full = shutil.disk_usage(path.parent).free < 2**20
            raise OSError(
                errno.ENOSPC if full else errno.EIO, os.strerror(errno.ENOSPC if full else errno.EIO)
            ) from error
        file.flush()
        os.fsync(file.fileno())


def _seal(beside: Path, target: Path, shared: Mapping[str, Any], world: int) -> None:
    """Write the manifest, sync everything, and give the folder its name."""
    files = {path.name: _digest(path) for path in sorted(beside.glob("*.pt"))}
    manifest = {"step": shared["steps_done"], "updates": shared["updates_done"], "processes": world, "files": files}
    with (beside / "manifest.json").open("w") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    _sync(beside)
    if target.exists():
        shutil.rmtree(target)
    beside.rename(target)
    _sync(target.parent)


def _fault(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        files = json.loads((path / "manifest.json").read_text())["files"]
    except (OSError, ValueError, KeyError):
        return "its manifest cannot be read"
    for name, digest in files.items():
        if not (path / name).exists():
            return f"{name} is missing"
        if _digest(path / name) != digest:
            return f"{name} does not match its hash"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prune(folder: Path, keep: int) -> None:
    for path in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(path)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def meet(runtime: Runtime) -> None:
    """Wait for every process."""
    runtime.gather(torch.zeros(1))
