"""Draws of problems from several models, counted on a file as they are made: what was drawn is never drawn again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from rlft.noise import hashed
from rlft.options.fitting import fitting
from rlft.options.mix import loaded
from rlft.policies.perception.thumbnails import bare
from rlft.runs.log import finite
from rlft.training.score import score
from rlft.types import Reward, Sampler, Task, UserError

COUNTS, STUDY = "counts.jsonl", "study.json"


@runtime_checkable
class AtOnce(Protocol):
    """How many draws are made at a time, and from which seed on."""

    @property
    def at_once(self) -> int: ...

    @property
    def batch(self) -> int: ...

    @property
    def seed(self) -> int: ...


@runtime_checkable
class HowMany(AtOnce, Protocol):
    """And which draws are right; see `tool.beyond.Counting`."""

    @property
    def solved(self) -> float: ...


@dataclass(frozen=True)
class Drawn:
    """Of the problems with these indices, how many of a model's draws were right."""

    indices: list[int]
    right: list[int]

    def at(self, indices: Sequence[int]) -> list[int]:
        """Those of some of the problems, in this order."""
        known = dict(zip(self.indices, self.right, strict=True))
        return [known[index] for index in indices]


class Draws:
    """Counts of right draws in a folder: a line for each batch, written when it has been scored.

    settings  what the counts depend on besides model, part and number; a folder with others is refused
    load      a model by its name, called when something has to be drawn from it; the last one is kept

    Draws of a problem are made in rounds of `at_once`, each with a seed of its own that is the same for every model: a
    row's noise is that of its seed, problem and number. A draw that could not be scored is not right.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        task: Task,
        reward: Reward,
        load: Callable[[str], Sampler],
        how: HowMany,
        progress: Callable[[int, int], None] = lambda done, count: None,
    ):
        self.folder, self.task, self.reward, self.how, self.progress = folder, task, reward, how, progress
        self.load, self.held = load, ("", None)
        self.known: dict[tuple[str, str, int], dict[int, int]] = {}
        opened(folder, settings)
        self._read()

    def of(self, model: str, part: str, indices: Sequence[int], count: int, until_solved: bool = False) -> Drawn:
        """How many of `count` draws of each problem are right; what a part is called decides its noise.

        With `until_solved` a problem is drawn for no more once it has been solved.
        """
        right = dict.fromkeys(indices, 0)
        rounds = [(start, min(self.how.at_once, count - start)) for start in range(0, count, self.how.at_once)]
        for number, (_, size) in enumerate(rounds):
            left = [index for index in indices if not (until_solved and right[index])]
            for index, found in self._round(model, part, number, left, size).items():
                right[index] += found
            self.progress(number + 1, len(rounds))
        return Drawn(list(indices), [right[index] for index in indices])

    def _round(self, model: str, part: str, number: int, indices: Sequence[int], size: int) -> dict[int, int]:
        held = self.known.setdefault((model, f"{part}/{size}", number), {})
        missing = [index for index in indices if index not in held]
        for start in range(0, len(missing), self.how.batch):
            some = missing[start : start + self.how.batch]
            found = self._drawn(model, part, number, some, size)
            held |= found
            line = {"model": model, "part": f"{part}/{size}", "round": number, "right": list(found.items())}
            with (self.folder / COUNTS).open("a") as file:
                file.write(json.dumps(line) + "\n")
        return {index: held[index] for index in indices}

    @torch.no_grad()
    def _drawn(self, model: str, part: str, number: int, indices: Sequence[int], size: int) -> dict[int, int]:
        if self.held[0] != model:
            self.held = ("", None)  # before the next one is loaded
            self.held = (model, self.load(model))
        policy = self.held[1]
        assert policy is not None
        rows = policy.sample([self.task.at(i) for i in indices], size, hashed("draws", self.how.seed, part, number))
        scores = score(self.reward, rows.problems, rows.outputs, rows.mask.shape[1]).total
        right = (scores.reshape(-1, size) >= self.how.solved).sum(1).tolist()
        return dict(zip(indices, right, strict=True))

    def _read(self) -> None:
        for told in lines_of(self.folder / COUNTS):
            held = self.known.setdefault((told["model"], told["part"], told["round"]), {})
            held |= {int(index): int(count) for index, count in told["right"]}


def opened(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make a study's folder, or go on in the one there is. `UserError` where it is of other settings, or no study's."""
    path = folder / STUDY
    if path.is_file():
        before = json.loads(path.read_text())
        if other := sorted(n for n in {*before, *settings} if before.get(n) != settings.get(n)):
            raise UserError(
                f"{folder} has draws of another study: {other[0]} was {before.get(other[0])!r} and is now "
                f"{settings.get(other[0])!r}; choose another --out"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already and is no study; choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; choose another --out") from error


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What a file of draws holds; the last line of a process that was killed is taken away."""
    text = path.read_text() if path.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]


def reader(task: Task, told: Mapping[str, Any], model: str) -> Any:
    """A model that can read the problems; `told` are its `sampling`, `prompting` and `loading`."""
    policy = loaded(model, (), told["sampling"], told["prompting"], told["loading"])
    fitted = fitting(task, policy)
    if fitted.size != task.size:
        raise UserError(
            f"{model} cannot read all problems, and all models are asked the same: leave --overlong as it is"
        )
    policy.check(task.at(index) for index in range(min(task.size or 0, 256)))
    return policy


def write_rows(path: Path, task: Task, indices: Sequence[int], more: Sequence[Mapping[str, Any]] = ()) -> None:
    """These problems in the form of any data of problems, each with further columns."""
    rows = []
    for place, index in enumerate(indices):
        problem = task.at(index)
        row = {"prompt": bare(problem.input), "answer": problem.answer, **problem.columns, "index": index}
        rows.append({**row, **(more[place] if more else {})})
    path.write_text("".join(json.dumps(finite(row), default=str) + "\n" for row in rows))


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As a file gives them back."""
    return json.loads(json.dumps(settings, default=str))
