"""What the process beside `tasks.reasoning` runs: reasoning-gym's generators and scorers. Not for import elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reasoning_gym.factory import DATASETS

Entry = dict[str, Any]
_PROBES = (1, 2, 3)


def answer(ask: str, *arguments: Any) -> Any:
    """The reply to one of the questions below."""
    return {"names": names, "check": check, "entry": entry, "score": score}[ask](*arguments)


def names() -> list[str]:
    """The data sets; `composite` is a mixture of others and has no generator of its own."""
    return sorted(set(DATASETS) - {"composite"})


def check(dataset: str, config: str) -> None:
    """Raise what reasoning-gym raises for these settings, if it does."""
    _generator(dataset, config)(0)


def entry(dataset: str, config: str, seed: int) -> list[Any]:
    """Question and answer of one item."""
    made = _entry(dataset, config, seed)
    return [made["question"], made["answer"]]


def score(dataset: str, config: str, seed: int, given: str) -> float:
    """The data set's own score of an answer to that item."""
    return float(_scorer(dataset, config)(given, _entry(dataset, config, seed)))


@lru_cache(maxsize=4096)
def _entry(dataset: str, config: str, seed: int) -> Entry:
    return _generator(dataset, config)(seed)


@lru_cache(maxsize=32)
def _scorer(dataset: str, config: str) -> Callable[[str, Entry], float]:
    return _made(dataset, config, 0).score_answer


@lru_cache(maxsize=32)
def _generator(dataset: str, config: str) -> Callable[[int], Entry]:
    """From a seed to the first item of a data set with that seed.

    Constructors may read word lists for a tenth of a second, so one instance is given seed after seed; but a few draw
    already while they are constructed. Where probes show a difference, every item gets an instance of its own.
    """
    one = _made(dataset, config, 0)

    def reseeded(seed: int) -> Entry:
        one.seed = seed
        return one[0]

    def fresh(seed: int) -> Entry:
        return _made(dataset, config, seed)[0]

    same = all(_shown(reseeded(seed)) == _shown(fresh(seed)) for seed in _PROBES)
    return reseeded if same else fresh


def _made(dataset: str, config: str, seed: int) -> Any:
    kind, settings = DATASETS[dataset]
    return kind(config=settings(**json.loads(config), seed=seed, size=1))


def _shown(made: Entry) -> tuple[Any, Any]:
    return made["question"], made["answer"]
