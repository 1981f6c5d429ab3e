"""The data sets of reasoning-gym (arXiv 2505.24760) by name, as endless seeded tasks with the data set's own scorer.

They run in a process beside: some iterate over sets of strings, so that their items depend on the process's hash seed;
one seeds numpy's global generator; some scorers evaluate what the model wrote and may not return.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rlft.errors import nearest
from rlft.noise import hashed
from rlft.rewards.adapt import each
from rlft.sandbox import SCRIPTS
from rlft.sandbox.child import Child, Unanswered
from rlft.types import Problem, Reward, UserError

_gym = Child(SCRIPTS / "reasoning_child.py")
_GENERATE, _SCORE = 120.0, 5.0  # seconds of processor time


class Reasoning:
    """One data set of reasoning-gym; `config` are its own settings, `size` makes the task finite.

    Item i is the first of a data set whose seed is a hash of (data set, settings, split, i); reasoning-gym itself
    counts seeds upwards, so that sets of neighbouring seeds share nearly all items. Splits meet only where two
    questions happen to be equal: rarely in a large data set, often in one that has few questions at all.

    A few data sets (boxnet, graph_color, propositional_logic, rubiks_cube, rush_hour) have no single right answer; the
    problem's `answer` is None there and only the scorer knows. Scorers are taken as they are: that of
    game_of_life_halting calls every text right, and that of prime_factorization cannot read prose (NaN).
    """

    def __init__(self, dataset: str, *, split: str = "train", size: int | None = None, **config: Any):
        if dataset not in (names := _asked("names")):
            raise UserError(f"reasoning-gym has no data set {dataset!r}{nearest(dataset, names)}")
        if "seed" in config:
            raise UserError("an item's seed is hashed from its index and split; leave out `seed`")
        self.dataset, self.split, self.size, self.config = dataset, split, size, dict(config)
        self._config = json.dumps(config, sort_keys=True)
        try:
            _asked("check", dataset, self._config)
        except Unanswered as error:
            raise UserError(f"reasoning-gym cannot make {dataset} with {self._config}: {error}") from None
        self.name = f"reasoning_gym:{dataset}"
        self.reward: Reward = own_score()

    def at(self, index: int) -> Problem:
        """The problem with this index; its column `source` says how to make it again."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"{self.name} has {self.size} problems, none with index {index}")
        # 32 bits, because numpy's generators take no more.
        seed = hashed(self.dataset, self._config, self.split, index) % 2**32
        question, answer = _asked("entry", self.dataset, self._config, seed)
        source = {"dataset": self.dataset, "config": self.config, "seed": seed}
        columns = {"question": question, "answer": answer, "source": source}
        return Problem(index, question, answer, columns, task=self.name, split=self.split)


def own_score() -> Reward:
    """The data set's own score, 0..1 and often partial, of what stands in the last `<answer>…</answer>`, else of all.

    White space around it is ignored. NaN where the scorer raises, or takes over five seconds of processor time.
    """

    def scored(problem: Problem, output: str) -> float:
        source: Mapping[str, Any] = problem.columns["source"]
        given = output.rpartition("<answer>")[2].partition("</answer>")[0].strip()
        config = json.dumps(source["config"], sort_keys=True)
        try:
            return _gym.ask("score", source["dataset"], config, source["seed"], given, seconds=_SCORE)
        except Unanswered:
            return float("nan")

    return each(scored)


def _asked(*question: Any) -> Any:
    try:
        return _gym.ask(*question, seconds=_GENERATE)
    except RuntimeError as error:
        raise UserError(
            f"reasoning-gym does not start; if it is missing, pip install 'rlft[tasks]' ({error})"
        ) from error
