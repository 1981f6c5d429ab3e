"""Trackers: where a team looks at many runs. One file `to_NAME` each, which is given the lines of a run's log.

The log in the run folder is what counts and a tracker is a copy of it: what one has missed it is given later. Which
lines it has been given, and what becomes of a run whose tracker fails, is the business of `rlft.runs.tracked`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Sequence

from rlft.errors import UserError, unknown
from rlft.trackers.tracker import About, Tracker


def names() -> list[str]:
    """Every tracker there is, called like its library: the files `to_NAME` of this folder."""
    found = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name.removeprefix("to_") for name in found if name.startswith("to_"))


def checked(chosen: Sequence[str]) -> tuple[str, ...]:
    """The names of trackers, each once; `UserError` for one that there is not, or whose library is not installed."""
    for name in chosen:
        if name not in names():
            raise unknown("tracker", name, names())
        if importlib.util.find_spec(name) is None:
            raise UserError(f"--track {name} needs the library {name}: pip install 'rlft[{EXTRAS[name]}]'")
    return tuple(dict.fromkeys(chosen))


def opened(name: str, about: About) -> Tracker:
    """The tracker of this name for one run, new or gone on with."""
    kind: type[Tracker] = importlib.import_module(f"{__name__}.to_{name}").TRACKER
    return kind(about)


# The extra of each; the light one needs no other name.
EXTRAS = {"tensorboard": "track", "wandb": "wandb", "trackio": "trackio", "mlflow": "mlflow"}
