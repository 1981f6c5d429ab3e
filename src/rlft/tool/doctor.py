"""`rlft doctor`: what this machine has, and a ten-second self-test."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from rlft.types import UserError


def doctor() -> int:
    """Say what this machine has, which extras work, and prove the engine on four small policies in ten seconds."""
    import torch

    from rlft.tool import self_test as selftest

    print(f"python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"gpu    {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none'}")
    for extra, modules in selftest.EXTRAS.items():
        missing = [module for module in modules if not selftest.there(module)]
        state = f"missing {', '.join(missing)}: pip install 'rlft[{extra}]'" if missing else "works"
        print(f"extra  {extra:<10} {state}")
    for name, tried in _verifiers().items():
        print(f"check  {name:<10} {_said(tried)}")
    failed = 0
    for name, problem in selftest.run():
        failed += problem is not None
        print(f"test   {name:<44} {problem or 'ok'}")
    return 1 if failed else 0


def _verifiers() -> dict[str, Callable[[], Any]]:
    """By the reward's name, what tries it and says more about it."""
    from rlft.sandbox.programs import Programs
    from rlft.verifiers.coq import Coq, Statement
    from rlft.verifiers.dafny import Contract, Dafny
    from rlft.verifiers.hardware import Circuit, Hardware
    from rlft.verifiers.lammps import Lammps
    from rlft.verifiers.smt import Holes, Smt

    def programs() -> str:
        return f"processes of a program are bounded by {Programs().bounded()}"

    def coq() -> str:
        return Coq().check([(Statement("1 + 1 = 2"), "reflexivity.")])[0].reason

    def smt() -> str:
        return Smt().check(Holes({"f": "((x Int)) Int"}, ("(forall ((x Int)) (> (f x) x))",)), "(+ x 1)").reason

    def verilog() -> str:
        wire = "module top_module(input a, output y);\nassign y = a;\nendmodule"
        return Hardware().check([(Circuit(reference=wire), wire)])[0].reason

    def dafny() -> str:
        return Dafny().check([(Contract("method One() returns (i: int) ensures i == 1"), "{ i := 1; }")])[0].reason

    def lammps() -> str:
        atoms = "create_box 1 all\ncreate_atoms 1 single 0 0 0\nmass 1 1\npair_style zero 1\npair_coeff * *"
        return Lammps().check([f"region all block 0 9 0 9 0 9\n{atoms}"])[0].reason

    return {tried.__name__: tried for tried in (programs, coq, smt, dafny, verilog, lammps)}


def _said(tried: Callable[[], str]) -> str:
    try:
        return f"works: {tried()}"
    except UserError as error:
        return f"missing: {error}"
