"""`--data` of the command line: from words to a task, a file's rows or one that makes its own problems.

problems.jsonl    owner/name    arithmetic    "arithmetic(digits=2)"    reasoning_gym:NAME
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, replace
from typing import Any

from rlft import tasks
from rlft.errors import nearest
from rlft.options.calls import called, parse_call
from rlft.tasks.films import Filmed, shows_film
from rlft.tasks.subset import with_columns
from rlft.types import Task, UserError
from rlft.types.values import overlaid


@dataclass(frozen=True)
class Fields:
    """Which columns of the data are what.

    Args:
        prompt_field: the data's column of prompts (text or chat messages), by default prompt. A field inside a column
            has a dotted name, extra_info.question, here and in the next two.
        answer_field: the data's column of answers, by default answer, or reward_model.ground_truth as verl has it.
        demonstration_field: the data's column of what sft, sft_grpo, relift, luffy and dr_po imitate, and int_grpo and
            carft compare with, by default demonstration if there is one, else the answers.
        where: COLUMN=VALUE, one or several, the rows that are taken (not of held-out problems): level=L2 level=L3.
        each: so many rows of each of them, a mix of equal parts; without it all.
        media_folder: where paths of pictures, sounds and films in the data begin; by default at the data file.
        frames: of each film in the data (a column video or videos, or a part of a message) so many are shown as
            pictures with their times, evenly from the first to the last.
    """

    prompt_field: str | None = None
    answer_field: str | None = None
    demonstration_field: str | None = None
    media_folder: str | None = None
    where: tuple[str, ...] = ()
    each: int | None = None
    frames: int = 8

    def __post_init__(self):
        if self.frames < 1:
            raise UserError(f"--frames is how many of each film are shown, at least 1; got {self.frames}")
        if self.each is not None and (self.each < 1 or not self.where):
            raise UserError(f"--each is how many rows of each value of --where, at least 1; got {self.each}")

    @property
    def held_out(self) -> Fields:
        """The columns of held-out problems: nothing is imitated, and all rows are asked."""
        return replace(self, demonstration_field=None, where=(), each=None)


# Collections of data sets, each of which is named behind a colon: the file of `tasks` and the class in it.
_NAMED = {"reasoning_gym": ("reasoning", "Reasoning"), "verifiers": ("verified", "Verified")}


def load_task(spec: str, fields: Fields = Fields(), split: str = "train", **told: Any) -> Task:
    """The task that a text names; `told` are fields of `Fields` by name.

    A path or a hub id (`owner/name`) is read by `files.Files`, with these fields; `arithmetic` or
    `arithmetic(digits=2)` is the class Arithmetic of `tasks/arithmetic.py`, and so for every file here;
    `reasoning_gym:NAME` or `reasoning_gym:NAME(setting=…)` is a data set of reasoning-gym, `verifiers:NAME` the data of
    an environment. Raises `UserError` and says
    what there is instead.
    """
    (fields,) = overlaid(told, fields)
    if found := re.fullmatch(f"({'|'.join(_NAMED)}):(.+)", spec.strip(), re.DOTALL):
        place, name = _NAMED[found[1]]
        kind, call = vars(importlib.import_module(f"rlft.tasks.{place}"))[name], parse_call(found[2])
        call = replace(call, name=spec.strip(), arguments=(call.name, *call.arguments))
    elif re.fullmatch(r"\w+(\(.*)?", spec.strip(), re.DOTALL):
        call = parse_call(spec)
        kind = generator(call.name)
        if kind is None:
            names = [*filter(generator, _modules()), *(f"{word}:NAME" for word in _NAMED)]
            raise UserError(
                f"there is no task {call.name!r}{nearest(call.name, names)}, or a file or hub id (owner/name)"
            )
    else:
        task = importlib.import_module("rlft.tasks.files").Files(
            spec,
            split=split,
            prompt=fields.prompt_field or "prompt",
            answer=fields.answer_field,
            demonstration=fields.demonstration_field,
            media=fields.media_folder,
        )
        task = with_columns(task, fields.where, fields.each) if fields.where else task
        films = any(shows_film(task.at(index)) for index in range(task.size or 1))
        return Filmed(task, fields.frames) if films else task
    if fields != Fields():
        raise UserError(f"{spec} makes its own problems; fields, and a folder of pictures or sounds, are for files")
    return called(kind, replace(call, settings={"split": split, **call.settings}))


def generator(name: str) -> type | None:
    """The class `Name` of `tasks/name.py`, if it is a task that makes its own problems and needs no argument."""
    if name not in _modules():
        return None
    kind = vars(importlib.import_module(f"rlft.tasks.{name}")).get(name.title().replace("_", ""))
    if not inspect.isclass(kind) or "at" not in vars(kind):
        return None
    needed = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
    return None if needed else kind


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(tasks.__path__)]
