"""New draws from the models of run folders, kept with their rewards as they are made: a study goes on from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from rlft.noise import hashed
from rlft.runs.log import facts_of, finite
from rlft.tool.again import Again, built, trained
from rlft.tool.draws import AtOnce, lines_of, opened
from rlft.training.score import score
from rlft.types import UserError

TEXTS = "texts.jsonl"
BASE = "the base"
Row = tuple[str, float | None]
"""A text and its reward; None where it could not be scored."""


@runtime_checkable
class HowMany(AtOnce, Protocol):
    """And how much is drawn in all; see `tool.formats.Fresh`."""

    @property
    def draws(self) -> int: ...

    @property
    def problems(self) -> int: ...


class Texts:
    """Draws of the base of the first run folder and of the trained model of each, on the problems of the first.

    A row's noise is that of the seed, its problem and its number, so all models are drawn from alike. Each model is
    built when something has to be drawn from it, and one is held at a time.
    """

    def __init__(
        self,
        folder: Path,
        runs: Sequence[Path],
        how: HowMany,
        trusted: bool = False,
        progress: Callable[[int, int], None] = lambda done, count: None,
    ):
        self.folder, self.how, self.trusted, self.progress = folder, how, trusted, progress
        self.models: dict[str, Path] = {BASE: runs[0], **{str(run): run for run in runs}}
        for run in runs if how.draws else ():
            if "words" not in facts_of(run):
                raise UserError(f"{run} was started from Python, so it cannot be drawn from here: leave out --draws")
        asked = {"draws": how.draws, "problems": how.problems, "at_once": how.at_once, "seed": how.seed}
        opened(folder, {"runs": [str(run.resolve()) for run in runs], **asked})
        self.known: dict[tuple[str, int], dict[int, list[Row]]] = {}
        for line in lines_of(folder / TEXTS):
            held = self.known.setdefault((line["model"], line["round"]), {})
            held |= {int(index): [(text, reward) for text, reward in rows] for index, rows in line["rows"].items()}

    def of(self, model: str) -> dict[int, list[Row]]:
        """All draws of a model, by the problem's index."""
        count, size = self.how.draws, self.how.at_once
        sizes = [min(size, count - start) for start in range(0, count, size)]
        path = self.models[model]
        source = _Source(path, model == BASE, self.models[BASE], self.how.problems, self.trusted)
        found: dict[int, list[Row]] = {}
        for number, rows in enumerate(sizes):
            for index, some in self._round(model, number, rows, source).items():
                found.setdefault(index, []).extend(some)
            self.progress(number + 1, len(sizes))
        return found

    def _round(self, model: str, number: int, size: int, source: _Source) -> dict[int, list[Row]]:
        held = self.known.setdefault((model, number), {})
        # How many problems there are is known without the run once a round is whole.
        if len(held) >= self.how.problems:
            return held
        missing = [index for index in source.indices if index not in held]
        for start in range(0, len(missing), self.how.batch):
            some = missing[start : start + self.how.batch]
            new = source.drawn(some, size, hashed("formats", self.how.seed, number))
            held |= new
            with (self.folder / TEXTS).open("a") as file:
                file.write(json.dumps(finite({"model": model, "round": number, "rows": new})) + "\n")
        return held


class _Source:
    """A model of a run folder and the problems of one, built when something is asked of them."""

    def __init__(self, run: Path, base: bool, asked: Path, problems: int, trusted: bool):
        self.run, self.base, self.asked, self.problems, self.trusted = run, base, asked, problems, trusted
        self.made: Any = None

    @property
    def indices(self) -> range:
        """Of the problems."""
        task = self._made()[1]
        return range(min(self.problems, task.size or self.problems))

    @torch.no_grad()
    def drawn(self, indices: Sequence[int], size: int, seed: int) -> dict[int, list[Row]]:
        """So many draws of each of these problems."""
        policy, task, reward = self._made()
        rows = policy.sample([task.at(index) for index in indices], size, seed)
        paid = score(reward, rows.problems, rows.outputs, rows.mask.shape[1]).total.tolist()
        told = [(str(text), None if one != one else one) for text, one in zip(rows.outputs, paid, strict=True)]
        return {index: told[place * size : (place + 1) * size] for place, index in enumerate(indices)}

    def _made(self) -> Any:
        if self.made is None:
            mine = (
                built(self.run, Again(trust=self.trusted), refuse=False)
                if self.base
                else trained(self.run, self.trusted)
            )
            first = mine if self.run == self.asked else built(self.asked, Again(trust=self.trusted), refuse=False)
            task, reward = first.held_out or first.trainer.task, first.reward or first.trainer.reward
            if task is None or reward is None:
                raise UserError(f"{self.asked} has no problems with a reward, so nothing can be drawn and judged")
            self.made = (mine.deploy or mine.trainer.policy, task, reward)
        return self.made
