"""Classes of control policies by name: a Gaussian within its bounds, a flow, tokens one after the other."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch

from rlft.environments.protocol import Environment
from rlft.policies.control.flow import Flow
from rlft.policies.control.policy import Binned, Control, StateTanhGaussian

Kind = Literal["gaussian", "flow", "tokens"]


def of_kind(
    kind: Kind, world: Environment, width: int, seed: int, *, chunk: int = 1, std: float | None = None
) -> Control | Flow:
    """A policy of this class with hidden layers of rectifiers: tanh-Gaussian whose deviation follows the state, a flow
    of five Euler steps, or an autoregressive row of tokens, eleven bins a dimension.

    chunk   actions that are decided at once
    std     deviation that the Gaussian begins with, by default that of its head
    """
    sizes: dict[str, Any] = {"width": width, "seed": seed, "chunk": chunk, "activation": torch.relu}
    if kind == "flow":
        return Flow(world, steps=5, **sizes)
    gaussian = StateTanhGaussian if std is None else partial(StateTanhGaussian, std=std)
    heads = {"gaussian": gaussian, "tokens": partial(Binned, bins=11, width=32, seed=seed)}
    return Control(world, head=heads[kind], **sizes)
