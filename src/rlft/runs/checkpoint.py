"""Checkpoints that survive anything: written beside, synced, renamed, and believed only if their hashes agree.

A checkpoint is a folder `step-000120` or, inside a step, `step-000120.003` (updates done; 0 if rows are drawn), with

    shared.pt        the state that is the same on every process
    own-<rank>.pt    each process's part of a step under way
    manifest.json    the SHA-256 of each, the step, the number of processes, how long the logs were

Anything else that lies among them is left alone.

Files are read with `weights_only`, so a checkpoint can carry no code.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from rlft.runtime.local import Local
from rlft.types import Runtime, UserError

_NAME = re.compile(r"step-(\d{6,})(?:\.(\d{3,}))?")
# What both loops keep in `shared`, and are asked for here.
_KEYS = {"steps_done", "updates_done"}


def there(folder: Path) -> list[Path]:
    """The checkpoints of a folder, whole or not, the newest last."""
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=place)


def place(path: Path) -> tuple[int, int]:
    """Step and updates done within the next, from a checkpoint's name."""
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int(found[2] or -1)


def save(
    folder: Path,
    state: Mapping[str, Any],
    runtime: Runtime | None = None,
    keep: int = 2,
    logs: Mapping[str, int] = MappingProxyType({}),
) -> Path:
    """Write a checkpoint of `Trainer.state_dict()` into `folder` and drop all but the newest `keep`.

    `logs` are the sizes of the run's logs, for a run that goes on from here to cut them back to.

    Every process of the runtime must call this. A write that fails (no space, no permission) raises `UserError` and
    leaves the earlier checkpoints as they were.
    """
    runtime = runtime or Local()
    shared = state["shared"]
    inside = shared["updates_done"] > 0 or state["own"].get("pending") is not None
    name = f"step-{shared['steps_done']:06d}" + (f".{shared['updates_done']:03d}" if inside else "")
    target, beside = folder / name, folder / f".{name}.writing"
    try:
        if runtime.rank == 0:
            for left in folder.glob(".step-*.writing"):  # of a run that was killed while it wrote
                shutil.rmtree(left)
            beside.mkdir(parents=True)
        meet(runtime)
        _write(beside / f"own-{runtime.rank}.pt", state["own"])
        if runtime.rank == 0:
            _write(beside / "shared.pt", shared)
        meet(runtime)
        if runtime.rank == 0:
            _seal(beside, target, state, runtime.world, logs)
            _prune(folder, target, keep)
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
    for path in reversed(there(folder)):
        fault = _fault(path)
        if fault:
            passed.append(f"checkpoint {path.name} is damaged ({fault}); going back to the one before")
            continue
        manifest = json.loads((path / "manifest.json").read_text())
        mine = runtime.rank if runtime.rank < manifest["processes"] else 0
        state, fault = _read(path, mine)
        if fault:
            passed.append(f"checkpoint {path.name} is no checkpoint ({fault}); going back to the one before")
            continue
        if ("." in path.name or manifest.get("ahead")) and manifest["processes"] != runtime.world:
            when = "inside a step" if "." in path.name else "with rows that were drawn ahead"
            raise UserError(
                f"checkpoint {path.name} was taken {when} by {manifest['processes']} processes and can only "
                f"go on with as many; there are {runtime.world}"
            )
        return state, path, passed
    reasons = "; ".join(passed) or "there is none"
    raise UserError(f"no usable checkpoint in {folder}: {reasons}")


def _read(path: Path, rank: int) -> tuple[dict[str, Any], str | None]:
    """A checkpoint's state, or what is wrong with it although its hashes agree."""
    try:
        shared, own = (torch.load(path / f"{name}.pt", weights_only=True) for name in ("shared", f"own-{rank}"))
        lacking = sorted(_KEYS - shared.keys())
    except Exception as error:  # it was written so: by another program, or an unlike version of torch
        return {}, f"it cannot be read: {type(error).__name__}"
    return {"shared": shared, "own": own}, f"it lacks {', '.join(lacking)}" if lacking else None


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


def logs_at(path: Path) -> dict[str, int] | None:
    """How long the logs were when a checkpoint was taken; None for one that does not say."""
    found = json.loads((path / "manifest.json").read_text()).get("logs")
    return found if isinstance(found, dict) else None


def _seal(beside: Path, target: Path, state: Mapping[str, Any], world: int, logs: Mapping[str, int]) -> None:
    """Write the manifest, sync everything, and give the folder its name."""
    shared = state["shared"]
    files = {path.name: _digest(path) for path in sorted(beside.glob("*.pt"))}
    manifest = {"step": shared["steps_done"], "updates": shared["updates_done"], "processes": world, "files": files}
    manifest |= {"logs": dict(logs)} if logs else {}
    manifest |= {"ahead": len(state["own"]["ahead"])} if state["own"].get("ahead") else {}
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
        manifest = json.loads((path / "manifest.json").read_text())
    except (OSError, ValueError):
        return "its manifest cannot be read"
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not isinstance(manifest.get("processes"), int):
        return "its manifest is not one"
    if lacking := {"shared.pt", *(f"own-{rank}.pt" for rank in range(manifest["processes"]))} - files.keys():
        return f"its manifest does not name {', '.join(sorted(lacking))}"
    for name, digest in files.items():
        if not (path / name).exists():
            return f"{name} is missing"
        try:
            same = _digest(path / name) == digest
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
        if not same:
            return f"{name} does not match its hash"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prune(folder: Path, newest: Path, keep: int) -> None:
    """Drop all but `keep`. Those after the newest are damaged: the run has gone back before them."""
    tidy(folder, newest, keep)
    for path in there(folder):
        if place(path) > place(newest):
            shutil.rmtree(path)


def tidy(folder: Path, newest: Path, keep: int = 2) -> None:
    """Drop the older ones of which a run that goes on from the newest has enough.

    A run that was killed between its last checkpoint and dropping these would keep them for ever.
    """
    found = there(folder)
    for path in found[: found.index(newest) + 1][:-keep]:
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
