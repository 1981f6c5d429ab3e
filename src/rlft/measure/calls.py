"""What sampling costs in network calls, whatever a call costs here. Not a time, and not what a decision is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from rlft.types import Measure, Problem


def calls_of(networks: Mapping[str, nn.Module]) -> Measure:
    """`calls/NAME`: rows that went through the network since the last time it was asked, for each output.

    A row counts once in each forward pass, whatever its length; rows that only fill a block count too. A language model
    is counted at its trunk, so a head that is applied to states that are there already is no call.
    """
    rows = dict.fromkeys(networks, 0)

    def count(name: str) -> Callable[..., None]:
        def before(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            read = given[0] if given else named.get("input_ids")
            rows[name] += len(read) if isinstance(read, Tensor) else 0

        return before

    for name, network in networks.items():
        network.register_forward_pre_hook(count(name), with_kwargs=True)

    def measure(problems: Sequence[Problem], outputs: Any) -> dict[str, float]:
        found = {f"calls/{name}": total / len(outputs) for name, total in rows.items()}
        rows.update(dict.fromkeys(networks, 0))
        return found

    return measure
