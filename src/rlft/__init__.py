"""rlft: reinforcement-learning fine-tuning of any generative policy on one engine.

    rlft.train      fine-tune a policy in one call          rlft.evaluate   rewards of a policy on problems
    rlft.Language   a Hugging Face causal model             rlft.Diffusion, rlft.Control
    rlft.Trainer    the loop itself

Methods are files: `from rlft.methods.grpo import grpo`. These names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlft.api import train
    from rlft.evaluate import evaluate
    from rlft.policies.control import Control
    from rlft.policies.diffusion import Diffusion
    from rlft.policies.language import Language
    from rlft.trainer import Trainer

__version__ = "0.1.0"
__all__ = ["Control", "Diffusion", "Language", "Trainer", "evaluate", "train"]

_HOMES = {
    "Control": "rlft.policies.control",
    "Diffusion": "rlft.policies.diffusion",
    "Language": "rlft.policies.language",
    "Trainer": "rlft.trainer",
    "evaluate": "rlft.evaluate",
    "train": "rlft.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rlft' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
