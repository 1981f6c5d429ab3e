"""rlft: reinforcement-learning fine-tuning of any generative policy on one engine.

    rlft.train      fine-tune a policy in one call          rlft.load     a run folder's trained policy
    rlft.evaluate   rewards of a policy on problems
    rlft.Language   a Hugging Face causal model             rlft.Diffusion, rlft.Control
    rlft.Trainer    the loop itself

Methods are files: `from rlft.methods.grpo import grpo`. These names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlft.api import load, train
    from rlft.policies.control.policy import Control
    from rlft.policies.language.policy import Language
    from rlft.policies.stepwise.diffusion import Diffusion
    from rlft.training.evaluate import evaluate
    from rlft.training.trainer import Trainer
    from rlft.version import __version__ as __version__

__all__ = ["Control", "Diffusion", "Language", "Trainer", "evaluate", "load", "train"]

_HOMES = {
    "Control": "rlft.policies.control.policy",
    "Diffusion": "rlft.policies.stepwise.diffusion",
    "Language": "rlft.policies.language.policy",
    "Trainer": "rlft.training.trainer",
    "__version__": "rlft.version",
    "evaluate": "rlft.training.evaluate",
    "load": "rlft.api",
    "train": "rlft.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rlft' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
