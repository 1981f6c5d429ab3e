"""A file of stages: each table is a stage, its keys are options by the names they have on the command line.

    [[stage]]                                   [[stage]]
    name = "sft"                                name = "rl"
    parent = "base"                             method = {name = "grpo", beta = 0.04}
    method = "sft"                              data = "train.jsonl"
    data = "worked.jsonl"                       reward = ["math"]
    steps = 100                                 steps = 200

`kind` is `learn` (as here), `regenerate` or `merge`. Without `parent` a stage goes on from the one before it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlft.errors import unknown
from rlft.methods.grpo import grpo
from rlft.options.arguments import parse
from rlft.options.calls import function_in
from rlft.options.config import loaded, words_of
from rlft.options.learning import Learning, corrected, numbers_of
from rlft.options.reward import Rewards, reward_of
from rlft.options.task import Fields, load_task
from rlft.runs.stages import BASE, Learned, Merged, Regenerated, Stage, Written
from rlft.types import Method, Task, UserError


def learn(
    name: str,
    parent: str,
    data: str,
    rewards: Rewards = Rewards(),
    method: Method = grpo(),
    learning: Learning = Learning(),
    fields: Fields = Fields(),
) -> Learned:
    """Steps of a method.

    Args:
        name: of the stage and its folder.
        parent: the stage whose weights it begins with, or base.
        data: as of rlft train, or an earlier stage that wrote data.
    """
    task = load_task(data, fields)
    unpaid = method.name == "sft" and not rewards.reward and getattr(task, "reward", None) is None
    reward = None if unpaid else reward_of(rewards, task)
    method = corrected(method, learning)
    return Learned(name, parent, method, task, reward, learning.steps, numbers_of(learning))


def regenerate(
    name: str,
    parent: str,
    data: str,
    rewards: Rewards = Rewards(),
    fields: Fields = Fields(),
    samples: int = 8,
    problems: int | None = None,
    prompts: int = 16,
    right: float = 1.0,
    most: int | None = None,
    keep: str | None = None,
) -> Regenerated:
    """Answers of the policy's own, of which the right are kept.

    Args:
        name: of the stage, its folder and what it writes.
        parent: the stage whose weights answer, or base.
        data: as of rlft train.
        samples: answers to each problem.
        problems: how many are asked; none is all.
        prompts: how many at a time.
        right: the least reward of a right answer.
        most: answers kept of one problem at most; none is all.
        keep: what else is asked of a right one, file.py:function of (problem, output).
    """
    task = load_task(data, fields)
    made = Regenerated(name, parent, task, reward_of(rewards, task), samples, problems, prompts, right, most)
    if keep is None:
        return made
    path, _, function = keep.rpartition(":")
    return replace(made, keep=function_in(Path(path).expanduser(), function))


_KINDS: Mapping[str, Callable[..., Any]] = {"learn": learn, "regenerate": regenerate}


def read(path: Path) -> list[Stage]:
    """The stages of a file; `UserError` for one that cannot be read, and for what is wrong with a stage."""
    stages: list[Stage] = []
    for number, table in enumerate(_tables(path), 1):
        table = {"name": f"stage-{number}", "parent": stages[-1].name if stages else BASE, **table}
        kind, name = table.pop("kind", "learn"), str(table["name"])
        if kind == "merge":
            if set(table) - {"name", "parent", "shares"} or not isinstance(table.get("shares"), Mapping):
                raise UserError(f"{path}, stage {name!r}: a merge has shares = {{STAGE = SHARE, …}} and nothing else")
            stages.append(Merged(name, {key: float(share) for key, share in table["shares"].items()}))
        elif kind in _KINDS:
            stages.append(_stage(_KINDS[kind], table, f"{path}, stage {name!r}", stages))
        else:
            raise UserError(f"{path}, stage {name!r}: {unknown('kind', str(kind), [*_KINDS, 'merge'])}")
    return stages


def texts(path: Path) -> list[str]:
    """Every text in a file of stages; none of one that cannot be read."""
    try:
        return [*_texts(tomllib.loads(path.read_text(encoding="utf-8")))]
    except (OSError, ValueError):
        return []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _tables(path: Path) -> list[dict[str, Any]]:
    found = loaded(path, called="the stages ")
    if set(found) != {"stage"} or not isinstance(found["stage"], list):
        raise UserError(f"{path} should be tables [[stage]] and nothing else; it has {', '.join(found) or 'nothing'}")
    return found["stage"]


def _stage(make: Callable[..., Any], table: Mapping[str, Any], told: str, before: list[Stage]) -> Stage:
    """A stage of its options; one that learns from what another wrote is paid as that was, unless it says."""
    written = next((s for s in before if isinstance(s, Regenerated) and s.name == table.get("data")), None)
    given = parse(make, [word for key, value in table.items() for word in words_of(key, value)], told)
    if written is None:
        return make(**given)
    if make is regenerate:
        raise UserError(f"{told}: what a stage wrote is imitated; ask the problems of its data again")
    rewards, learning = given["rewards"], given["learning"]
    reward = reward_of(rewards, Written(written.name, _source(written), ())) if rewards.reward else written.reward
    names = given["name"], given["parent"], corrected(given["method"], learning), written.name
    return Learned(*names, reward, learning.steps, numbers_of(learning))


def _source(stage: Regenerated) -> Task:
    assert not isinstance(stage.task, str)
    return stage.task
