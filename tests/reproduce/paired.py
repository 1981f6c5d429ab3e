"""A recipe of a user's own, one of whose arms wants a file that is not shipped: used by the tests of such arms."""

from dataclasses import replace
from pathlib import Path

from reach import CLAIM as REACH
from reach import reach

from rlft.evidence.claim import Arm, Statement
from rlft.methods.rloo import rloo
from rlft.runs.drive import Run
from rlft.types import Method


def paired(method: Method = rloo(), steps: int = 1, lr: float = 1e-3, file: Path | None = None, seed: int = 0) -> Run:
    """A point mass.

    Args:
        steps: steps in all.
        lr: learning rate.
        file: as many steps more as it has lines.
        seed: of everything random.
    """
    more = len(file.read_text().splitlines()) if file is not None else 0
    return reach(method, steps + more, lr=lr, seed=seed)


CLAIM = replace(
    REACH,
    arms={"plain": Arm("without"), "filed": Arm("with a file", {"lr": 0.01}, data="mine")},
    statements=(
        Statement("weights have a size", "size", "plain", least=0.1),
        Statement("more updates", "cost/updates", "filed", over="plain", least=2),
    ),
    grid={"lr": (1e-3, 0.5)},
    shared=(),
    smoke={},
)
